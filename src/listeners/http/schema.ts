declare const TYPE: unique symbol;

/** A JSON Schema, as the API description holds them, of values of that type. */
export interface Schema<T = unknown> {
  /** Never there: it lets what an endpoint answers be checked against its description. */
  readonly [TYPE]?: T;
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly items?: Schema;
  readonly prefixItems?: readonly Schema[];
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly anyOf?: readonly Schema[];
}

/** The values that a schema describes. */
export type Described<S> = S extends Schema<infer T> ? T : never;

type Members = Readonly<Record<string, Schema>>;
type ObjectOf<M extends Members, O extends Members> = {
  readonly [name in keyof M]: Described<M[name]>;
} & { readonly [name in keyof O]?: Described<O[name]> | undefined };

export const aString: Schema<string> = { type: 'string' };
export const aBoolean: Schema<boolean> = { type: 'boolean' };
export const anInteger: Schema<number> = { type: 'integer' };

export const aList = <T>(items: Schema<T>): Schema<readonly T[]> => ({ type: 'array', items });
export const aMap = <T>(values: Schema<T>): Schema<Readonly<Record<string, T>>> => ({
  type: 'object',
  additionalProperties: values,
});

/** A list of just these, in this order. */
export const aTuple = <const S extends readonly Schema[]>(
  ...items: S
): Schema<{ readonly [index in keyof S]: Described<S[index]> }> => ({
  type: 'array',
  prefixItems: items,
  minItems: items.length,
  maxItems: items.length,
});

/** An object with those members, all of which are there but the optional ones. */
export function anObject<M extends Members, O extends Members = Record<never, never>>(
  members: M,
  optionalMembers?: O,
): Schema<ObjectOf<M, O>> {
  return {
    type: 'object',
    properties: { ...members, ...optionalMembers },
    required: Object.keys(members),
  };
}

/** An object without anything in it. */
export const anEmptyObject: Schema<Record<string, never>> = {
  type: 'object',
  properties: {},
  required: [],
};

export const eitherOf = <A, B>(a: Schema<A>, b: Schema<B>): Schema<A | B> => ({ anyOf: [a, b] });

/** Server name → key id → signature. */
export const signatures = aMap(aMap(aString));

const association = {
  medium: aString,
  address: aString,
  mxid: aString,
  ts: anInteger,
  not_before: anInteger,
  not_after: anInteger,
  signatures,
};

/** Specification, `3pid/bind`. */
export const signedAssociation = anObject(association);

/** The same, with what the homeserver of the user is not told. */
export const boundAssociation = anObject(association, { warning: aString });

/** As a peer sends it: a deletion names no user and no times. */
export const replicatedAssociation = anObject({
  ...association,
  mxid: { type: ['string', 'null'] } as Schema<string | null>,
  not_before: { type: ['integer', 'null'] } as Schema<number | null>,
  not_after: { type: ['integer', 'null'] } as Schema<number | null>,
});

/** Specification, "Standard error response". */
export const standardError = anObject({ errcode: aString, error: aString });
