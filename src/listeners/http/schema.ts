/** A JSON Schema, as the API description holds them. */
export interface Schema {
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

export const aString: Schema = { type: 'string' };
export const aBoolean: Schema = { type: 'boolean' };
export const anInteger: Schema = { type: 'integer' };

export const aList = (items: Schema): Schema => ({ type: 'array', items });
export const aMap = (values: Schema): Schema => ({ type: 'object', additionalProperties: values });

/** An object with those members, all of which are there but the optional ones. */
export function anObject(
  members: Readonly<Record<string, Schema>>,
  optionalMembers: Readonly<Record<string, Schema>> = {},
): Schema {
  return {
    type: 'object',
    properties: { ...members, ...optionalMembers },
    required: Object.keys(members),
  };
}

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
  mxid: { type: ['string', 'null'] },
  not_before: { type: ['integer', 'null'] },
  not_after: { type: ['integer', 'null'] },
});

/** Specification, "Standard error response". */
export const standardError = anObject({ errcode: aString, error: aString });
