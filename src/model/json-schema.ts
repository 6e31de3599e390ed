declare const TYPE: unique symbol;

/** A JSON Schema, as the API description holds them, of values of that type. */
export interface Schema<T = unknown> {
  /** Never there: it lets what an endpoint answers be checked against its description. */
  readonly [TYPE]?: T;
  /** Another that stands elsewhere in the same document. */
  readonly $ref?: string;
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
  readonly allOf?: readonly Schema[];
}

const NAMES = new WeakMap<Schema, string>();

/** Gives a schema a name of its own, under which a document has it once. */
export function named<T>(name: string, schema: Schema<T>): Schema<T> {
  NAMES.set(schema, name);
  return schema;
}

/** The name that it was given. */
export const nameOfSchema = (schema: Schema): string | undefined => NAMES.get(schema);

/** The values that a schema describes. */
export type Described<S> = S extends Schema<infer T> ? T : never;

type Members = Readonly<Record<string, Schema>>;
type ObjectOf<M extends Members, O extends Members> = {
  readonly [name in keyof M]: Described<M[name]>;
} & { readonly [name in keyof O]?: Described<O[name]> | undefined };

export const aString: Schema<string> = { type: 'string' };
export const aBoolean: Schema<boolean> = { type: 'boolean' };
export const anInteger: Schema<number> = { type: 'integer' };
export const aNumber: Schema<number> = { type: 'number' };

/** One of just these words. */
export const aWordOf = <const T extends string>(...words: readonly T[]): Schema<T> => ({
  type: 'string',
  enum: words,
});

/** The same, and what it means. */
export const describedAs = <T>(description: string, schema: Schema<T>): Schema<T> => ({
  ...schema,
  description,
});

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
