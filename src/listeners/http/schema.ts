import { aMap, anInteger, anObject, aString, named, type Schema } from '../../model/json-schema.ts';

export * from '../../model/json-schema.ts';

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
export const signedAssociation = named('SignedAssociation', anObject(association));

/** The same, with what the homeserver of the user is not told. */
export const boundAssociation = named(
  'BoundAssociation',
  anObject(association, { warning: aString }),
);

/** As a peer sends it: a deletion names no user and no times. */
export const replicatedAssociation = anObject({
  ...association,
  mxid: { type: ['string', 'null'] } as Schema<string | null>,
  not_before: { type: ['integer', 'null'] } as Schema<number | null>,
  not_after: { type: ['integer', 'null'] } as Schema<number | null>,
});

/** Specification, "Standard error response"; how many milliseconds to wait, where that helps. */
const standardError = named(
  'Error',
  anObject({ errcode: aString, error: aString }, { retry_after_ms: anInteger }),
);

/** The same, of one of these kinds. */
export const errorOf = (errcodes: readonly string[]): Schema => ({
  allOf: [
    standardError,
    { type: 'object', properties: { errcode: { type: 'string', enum: errcodes } } },
  ],
});
