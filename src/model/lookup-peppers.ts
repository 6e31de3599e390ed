/**
 * A pepper of lookups, by a number that no other ever has. 0 is the one in Sydent's `hashing_metadata`, by which the
 * hashes in Sydent's tables are made: it stands there alone. Each other one has its own hashes of all keys.
 */
export interface NumberedPepper {
  readonly number: number;
  /** Undefined for 0. */
  readonly pepper?: string | undefined;
}

/** Which peppers there are. Times are milliseconds since the epoch. */
export interface LookupPeppers {
  /** The one that lookups are to name. */
  readonly current: NumberedPepper & {
    /** From when on, as far as that is known. */
    readonly since?: number | undefined;
  };
  /** The one to come: its hashes are being made, and nobody is told of it. */
  readonly next?: (NumberedPepper & { readonly begun: number }) | undefined;
  /** Those that lookups may name still, the latest first; they stay a little longer than that. */
  readonly former: readonly (NumberedPepper & { readonly until: number })[];
  /** Whose hashes are to be deleted. */
  readonly gone: readonly number[];
}

/** As long as nobody has rotated. */
const NEVER_ROTATED: LookupPeppers = { current: { number: 0 }, former: [], gone: [] };

/** What `cognomen_state` holds of them. @param text undefined where it holds nothing */
export const readPeppers = (text: string | undefined): LookupPeppers =>
  text === undefined ? NEVER_ROTATED : JSON.parse(text);

/** A pepper that has hashes of its own. */
export interface RotatedPepper {
  readonly number: number;
  readonly pepper: string;
}

/** Those of which every key must have its hash. */
export const rotatedOf = ({ current, next, former }: LookupPeppers): RotatedPepper[] =>
  [current, next, ...former].flatMap((each) =>
    each?.pepper === undefined ? [] : [{ number: each.number, pepper: each.pepper }],
  );

/** A number that was never used. */
export const nextNumber = ({ current, next, former, gone }: LookupPeppers): number =>
  1 + Math.max(current.number, next?.number ?? 0, ...former.map(({ number }) => number), ...gone);
