import type { Page } from './overview.ts';

export type AdminRole = 'viewer' | 'operator';

/** A token of the admin API, but for itself. */
export interface AdminTokenRow {
  readonly id: string;
  readonly role: AdminRole;
  readonly name: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly lastUsedAt: number | undefined;
}

/** Tokens of the admin API. */
export interface AdminTokenStore {
  /** @param most false, and nothing happens, where there are so many already */
  add(token: AdminTokenRow & { readonly hash: string }, most: number): Promise<boolean>;
  find(hash: string): Promise<AdminTokenRow | undefined>;
  /** All, in the order of their making. */
  list(): Promise<AdminTokenRow[]>;
  used(id: string, now: number): Promise<void>;
  /** Whether there was one. */
  remove(id: string): Promise<boolean>;
  /** Deletes those that ended before that time; how many. */
  removeEnded(before: number): Promise<number>;
}

/** One thing that an operator did, or looked at. */
export interface AuditEntry {
  readonly id: number;
  readonly at: number;
  /** `token ID NAME`, `openid SUBJECT` or `user NAME`. */
  readonly who: string;
  readonly via: 'api' | 'command';
  /** The address of the client, or the machine's name. */
  readonly origin: string;
  /** Resource and action, such as `outbox retry`. */
  readonly action: string;
  /** The folded address or the user id, or what else the argument was; undefined where there is none. */
  readonly about: string | undefined;
  /** The options and flags. */
  readonly details: Readonly<Record<string, string | true>>;
  /** `begun` where nobody knows what became of it. */
  readonly outcome: 'begun' | 'done' | 'not_found' | 'invalid' | 'failed' | 'refused';
}

/** Which entries are looked for; all where nothing is said. */
export interface AuditFilter {
  readonly about?: string | undefined;
  readonly who?: string | undefined;
  readonly since?: number | undefined;
}

/** The trail of what operators did. */
export interface AuditStore {
  /** Its id. */
  add(entry: Omit<AuditEntry, 'id'>): Promise<number>;
  close(id: number, outcome: AuditEntry['outcome']): Promise<void>;
  /** @param isNewestFirst the page is then of those before `after`; 0: of the last ones */
  list(which: AuditFilter, page: Page, isNewestFirst?: boolean): Promise<AuditEntry[]>;
  /** Calls somebody by another name in all that is about them. @returns in how many entries */
  rename(about: string, name: string): Promise<number>;
  /** Puts the details of an entry in the place of its former ones. */
  setDetails(id: number, details: AuditEntry['details']): Promise<void>;
  /** Deletes the oldest of those from before that time, so many at most; how many there were. */
  removeBefore(time: number, limit: number): Promise<number>;
}
