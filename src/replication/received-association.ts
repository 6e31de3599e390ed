import { membersBeside } from '../identity/associations/signed-association.ts';
import { foldAddress, LONGEST_ADDRESS } from '../model/addresses.ts';
import { LONGEST_MXID } from '../model/mxid.ts';
import { CLOCK_TOLERANCE } from '../model/precedence.ts';

/** An association from a peer; a deletion when it names no user. Times in ms. */
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
  /** Whether all that was signed is in this. */
  readonly isWhole: boolean;
}

/**
 * Why a peer's association is left out: it has members that none has, lacks what one needs or has it in another
 * form, or is dated more than a day ahead.
 */
const UNUSABLE = ['members', 'malformed', 'ahead'] as const;
export type Unusable = (typeof UNUSABLE)[number];
/** Why it is left out, be it that or that it was erased here. */
export const LEFT_OUT = [...UNUSABLE, 'erased'] as const;
export type LeftOutReason = (typeof LEFT_OUT)[number];

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

/** The members; undefined when one is missing or is not what it should be. */
function readMembers(signed: object): Omit<ReceivedAssociation, 'isWhole'> | undefined {
  const {
    medium,
    mxid,
    ts,
    not_before: notBefore,
    not_after: notAfter,
    address: typed,
  } = {
    ...(signed as Record<string, unknown>),
  };
  if (!isText(medium, LONGEST.medium) || !isText(typed, LONGEST.address)) return undefined;
  const address = foldAddress(medium, typed);
  // Folding can make it longer.
  if (!isText(address, LONGEST.address) || !isTime(ts)) return undefined;
  const common = { medium, address, typed, ts };
  if (isAbsent(mxid)) {
    const fits = [notBefore, notAfter].every((time) => isAbsent(time) || isTime(time));
    return fits ? { ...common, mxid: undefined, notBefore: ts, notAfter: ts } : undefined;
  }
  if (!isText(mxid, LONGEST.mxid) || !isTime(notBefore) || !isTime(notAfter)) return undefined;
  return { ...common, mxid, notBefore, notAfter };
}

/** What a peer signed as an association, or why it is not one. The signatures themselves are not looked at. */
export function parseAssociation(signed: object, now: number): ReceivedAssociation | Unusable {
  // Old Sydents sign the invitations that they sent their homeservers as well.
  const beside = membersBeside(signed);
  if (beside.some((name) => name !== 'invites')) return 'members';
  const association = readMembers(signed);
  if (association === undefined) return 'malformed';
  const { ts, notBefore } = association;
  if (Math.max(ts, notBefore) > now + CLOCK_TOLERANCE) return 'ahead';
  return { ...association, isWhole: beside.length === 0 };
}
