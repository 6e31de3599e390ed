import { hash } from 'node:crypto';
import { IdentityError } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import type { Random } from '../../platform/random.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import { waitAtMost } from '../../platform/wait-at-most.ts';
import type { Storage, Stores } from '../../storage/stores/index.ts';
import type { Terms } from './terms.ts';

/** Users of this server, whom their homeservers vouch for, and their access tokens. */
export interface Accounts {
  /**
   * A new access token for the user; their account is made where there is none. Where they have as many
   * as an account may have, the one that was used longest ago works no more.
   */
  issueToken(userId: string): Promise<string>;
  /**
   * The user whose access token it is.
   * @param needs `user`: who has accepted the terms; `token`: whoever it is.
   * @throws IdentityError `token-unknown`, `terms-not-accepted`
   */
  authenticate(token: string | undefined, needs: 'accepted-terms' | 'any-token'): Promise<string>;
  /** The token works no more. */
  logOut(token: string): Promise<void>;
  /** Deletes tokens that nobody has used for too long; the number deleted. */
  deleteUnused(): Promise<number>;
}

export interface AccountsDependencies {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly random: Random;
  readonly terms: Terms;
  /** Milliseconds; 0: tokens do not expire. */
  readonly tokenLifetime: number;
}

const TOKEN_LENGTH = 64;
/** Letters and digits only are in tokens, so that no token looks like a hashed one. */
const HASHED = 'sha256:';
const MAX_TOKEN_LENGTH = 255;
/** Milliseconds that a request waits for its token's use to be noted. */
const NOTING = 250;
/** A token's last use is noted this precisely: most requests write nothing. */
const USE_PRECISION = 6 * 60 * 60 * 1000;
/** More than anyone has homeservers and devices; each row costs room, and whoever asks gets one. */
const MAX_TOKENS = 100;
/** So many that the last of an account with very many are soon gone. */
const MAX_AT_ONCE = 5000;

/** As the token is stored, so that who reads the database cannot use it. */
const hashed = (token: string) => HASHED + hash('sha256', token, 'base64url');

/** How the token may be stored: one of Sydent's stands there as it is. */
const forms = (token: string) => [hashed(token), token];

export function createAccounts(deps: AccountsDependencies): Accounts {
  const { storage, clock, random, terms, tokenLifetime } = deps;

  const isExpired = (lastUsed: number, now: number) =>
    tokenLifetime > 0 && now >= lastUsed + tokenLifetime;

  const unknown = () =>
    new IdentityError('token-unknown', 'The access token is missing or not known');

  /** Tokens whose use is being noted. */
  const noting = new Set<string>();

  /** Where nothing can be written for now, who only reads is answered all the same. */
  async function noteUse(token: string, now: number): Promise<void> {
    if (noting.has(token)) return;
    noting.add(token);
    const noted = storage.stores.accounts
      .touchToken(token, now)
      .catch((error: unknown) => {
        if (!(error instanceof UnavailableError)) throw error;
      })
      .finally(() => noting.delete(token));
    await waitAtMost(NOTING, noted);
  }

  async function find(token: string | undefined) {
    if (token === undefined || token.startsWith(HASHED) || token.length > MAX_TOKEN_LENGTH) {
      throw unknown();
    }
    if (!token.isWellFormed() || token.includes('\0')) throw unknown();
    const found = await storage.stores.accounts.findToken(forms(token));
    if (found === undefined) throw unknown();
    const now = clock.now();
    if (found.lastUsed !== undefined && isExpired(found.lastUsed, now)) throw unknown();
    if (found.lastUsed === undefined || now >= found.lastUsed + USE_PRECISION) {
      await noteUse(found.token, now);
    }
    return found;
  }

  return {
    async issueToken(userId) {
      const token = random.alphanumeric(TOKEN_LENGTH);
      const stored = hashed(token);
      const deleteOldest = ({ accounts }: Stores, limit: number) =>
        accounts.deleteOldestTokens(userId, stored, MAX_TOKENS, limit);
      const deleted = await storage.transaction(async (stores) => {
        await stores.accounts.addToken(userId, stored, clock.now());
        return deleteOldest(stores, MAX_AT_ONCE);
      });
      if (deleted === MAX_AT_ONCE) {
        await deleteInBatches((limit) =>
          storage.transaction((stores) => deleteOldest(stores, limit)),
        );
      }
      return token;
    },

    async authenticate(token, needs) {
      const { userId, consentVersion } = await find(token);
      if (needs === 'accepted-terms' && !terms.areAccepted(userId, consentVersion)) {
        throw new IdentityError('terms-not-accepted', 'Please accept the terms of service first');
      }
      return userId;
    },

    async logOut(token) {
      await storage.transaction(({ accounts }) => accounts.deleteToken(forms(token)));
    },

    async deleteUnused() {
      if (tokenLifetime === 0) return 0;
      const before = clock.now() - tokenLifetime;
      return deleteInBatches((limit) =>
        storage.transaction(({ accounts }) => accounts.deleteTokensUnusedSince(before, limit)),
      );
    },
  };
}
