/** What is known of an access token. */
export interface StoredToken {
  /** As it is stored. */
  readonly token: string;
  readonly userId: string;
  /** The version of the terms that its user accepted as a whole. */
  readonly consentVersion: string | undefined;
  readonly lastUsed: number | undefined;
}

/** Since when an account is there. */
export interface DatedAccount {
  readonly userId: string;
  readonly createdAt: number;
}

/** Accounts, their access tokens and what terms they accepted. Tokens are given as they are stored. */
export interface AccountStore {
  /** Makes the account where there is none yet, and gives it the token. */
  addToken(userId: string, token: string, now: number): Promise<void>;
  /**
   * Deletes, of the tokens an account has beyond that number, those that were used longest ago, undated
   * ones first, some at a time; the number deleted. The newest token stays in any case.
   */
  deleteOldestTokens(userId: string, newest: string, most: number, limit: number): Promise<number>;
  /** The first found of several forms in which a token may be stored. */
  findToken(forms: readonly string[]): Promise<StoredToken | undefined>;
  touchToken(token: string, now: number): Promise<void>;
  deleteToken(forms: readonly string[]): Promise<void>;
  /** Deletes tokens last used then or earlier, some at a time; the number deleted. */
  deleteTokensUnusedSince(time: number, limit: number): Promise<number>;
  /** Goes through the tokens behind that one and counts those nobody dated as used now; the last. */
  dateTokens(after: string, now: number, limit: number): Promise<string | undefined>;
  /** The accounts behind that user id, in an order of the database's own. */
  listAfter(userId: string, limit: number): Promise<DatedAccount[]>;
  acceptedUrls(userId: string): Promise<string[]>;
  acceptUrls(userId: string, urls: readonly string[]): Promise<void>;
  setConsentVersion(userId: string, version: string): Promise<void>;
}
