import { foldAddress, LONGEST_ADDRESS } from '../identity/addresses.ts';
import { LONGEST_MXID } from '../identity/mxid.ts';

/** A signed association from a peer; a deletion when it names no user. Times in ms. */
export interface ReceivedAssociation {
  readonly medium: string;
  /** Folded. */
  readonly address: string;
  /** As it was sent. */
  readonly typed: string;
  readonly mxid: string | undefined;
  readonly ts: number;
  readonly notBefore: number;
  readonly notAfter: number;
  /** What was signed, signatures included. */
  readonly signed: object;
  /** The same, as it is stored. */
  readonly signedJson: string;
}

/** Bytes of UTF-8; together they must fit into an entry of PostgreSQL's indexes. */
const LONGEST = { medium: 64, address: LONGEST_ADDRESS, mxid: LONGEST_MXID };

const isText = (value: unknown, longest: number): value is string =>
  typeof value === 'string' &&
  value !== '' &&
  value.isWellFormed() &&
  !value.includes('\0') &&
  Buffer.byteLength(value) <= longest;

const isTime = (value: unknown): value is number => Number.isSafeInteger(value);

const isAbsent = (value: unknown) => value === null || value === undefined;

function serialize(signed: object): string | undefined {
  try {
    return JSON.stringify(signed);
  } catch {
    // Nested so deeply that it cannot be written again.
    return undefined;
  }
}

/** What a peer sent as an association; undefined when it is none. Its signatures are not looked at. */
export function parseAssociation(value: unknown): ReceivedAssociation | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  // `unsigned` is signed by nobody: it goes no further.
  const { unsigned: _unsigned, ...signed } = value as Record<string, unknown>;
  const { medium, mxid, ts, not_before: notBefore, not_after: notAfter } = signed;
  if (!isText(medium, LONGEST.medium) || !isText(signed['address'], LONGEST.address)) {
    return undefined;
  }
  const address = foldAddress(medium, signed['address']);
  // Folding can make it longer.
  if (!isText(address, LONGEST.address) || !isTime(ts)) return undefined;
  const signedJson = serialize(signed);
  if (signedJson === undefined) return undefined;
  const common = { medium, address, typed: signed['address'], ts, signed, signedJson };
  if (isAbsent(mxid)) {
    const fits = [notBefore, notAfter].every((time) => isAbsent(time) || isTime(time));
    return fits ? { ...common, mxid: undefined, notBefore: ts, notAfter: ts } : undefined;
  }
  if (!isText(mxid, LONGEST.mxid) || !isTime(notBefore) || !isTime(notAfter)) return undefined;
  return { ...common, mxid, notBefore, notAfter };
}
