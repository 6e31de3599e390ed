import type { Medium } from '../../model/addresses.ts';

/** An address that a browser has proven on the owners' page, or is about to. */
export interface OwnerSession {
  readonly medium: Medium;
  /** Folded. */
  readonly address: string;
  /** The validation session whose code proves it. */
  readonly sid: number;
  /** Undefined: not yet. */
  readonly provenAt: number | undefined;
  readonly expiresAt: number;
}

/** Browsers are known by hashes of their cookies. */
export interface OwnerSessionStore {
  /** What a browser has at that time, the last proven first. */
  of(browser: string, now: number): Promise<OwnerSession[]>;
  /** Begins to prove an address, in place of any other that the browser began with. */
  begin(browser: string, session: Omit<OwnerSession, 'provenAt'>): Promise<void>;
  /**
   * Notes that the address of that validation session is proven, and has the browser known by another hash from then on.
   * False when it has no such session any more: nothing changes.
   */
  prove(
    names: { readonly browser: string; readonly next: string },
    sid: number,
    times: { readonly provenAt: number; readonly expiresAt: number },
  ): Promise<boolean>;
  /** Ends all that a browser has. */
  end(browser: string): Promise<void>;
  /** Deletes what had expired by that time, some at a time; the number deleted. */
  deleteExpired(now: number, limit: number): Promise<number>;
}
