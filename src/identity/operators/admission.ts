import { hash } from 'node:crypto';
import { IdentityError } from '../../model/errors.ts';
import type { Ask, Buckets } from '../../platform/buckets.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Storage } from '../../storage/stores/index.ts';
import { isAdminToken, operatorByToken } from './admin-tokens.ts';
import type { Issuer, Operator } from './operator.ts';

/** Finds out who asks something of the admin API. */
export interface Admission {
  /**
   * @param network whose wrong tokens are counted together
   * @throws IdentityError `token-unknown`; `limit-exceeded` for all from a network that sent too many wrong tokens, but for
   *   those whose token was good before, and for an operator who asks too often. UnavailableError
   */
  admit(
    token: string | undefined,
    from: { readonly network: string; readonly address: string | undefined },
  ): Promise<Operator>;
}

export interface AdmissionDependencies {
  readonly storage: Pick<Storage, 'stores' | 'transaction'>;
  readonly clock: Clock;
  readonly buckets: Buckets;
  /** Undefined: there is none, and the server's own tokens are all. */
  readonly issuer: Issuer | undefined;
  /** Told of each request that is refused because of too many. */
  readonly onExceeded: (limit: 'admin.wrong_tokens' | 'admin.requests') => void;
}

/** Longer than any provider's. */
const MOST_CHARACTERS = 8192;
/** What is checked at the same time counts, too, until it is found good. */
const WRONG_TOKENS = { burst: 60, rateHz: 1 / 10 };
/** Each request for a person is a row of the trail, which is kept for long. */
const REQUESTS = { burst: 600, rateHz: 2 };
/** Tokens that were good, and are remembered: those that were used longest ago are forgotten. */
const REMEMBERED = 1000;

const unknown = () => new IdentityError('token-unknown', 'The token is missing or not known');

export function createAdmission(deps: AdmissionDependencies): Admission {
  const { buckets, issuer } = deps;
  /** By their hashes, in the order of use: who sends wrong tokens from their network is not to keep them out. */
  const good = new Set<string>();

  function remember(name: string): void {
    good.delete(name);
    good.add(name);
    const [oldest] = good.size > REMEMBERED ? good : [];
    if (oldest !== undefined) good.delete(oldest);
  }

  async function take(limit: 'admin.wrong_tokens' | 'admin.requests', key: string) {
    const measures = limit === 'admin.requests' ? REQUESTS : WRONG_TOKENS;
    const ask: Ask = { bucket: limit, key, units: 1, limit: measures, refuses: true };
    const [wait = 0] = await buckets.take([ask]);
    if (wait === 0) return ask;
    deps.onExceeded(limit);
    throw new IdentityError(
      'limit-exceeded',
      `Too many requests: the limit ${limit} is reached; try again in ${Math.ceil(wait / 1000)} s`,
      { details: { retry_after_ms: wait } },
    );
  }

  async function find(token: string) {
    if (isAdminToken(token)) return operatorByToken(deps, token);
    return issuer?.operatorOf(token);
  }

  return {
    async admit(token, { network, address }) {
      if (token === undefined || token.length > MOST_CHARACTERS) throw unknown();
      const name = hash('sha256', token, 'base64url');
      const attempts = good.has(name) ? [] : [await take('admin.wrong_tokens', network)];
      const found = await find(token).catch((error: unknown) => {
        buckets.giveBack(attempts);
        throw error;
      });
      if (found === undefined) {
        good.delete(name);
        throw unknown();
      }
      buckets.giveBack(attempts);
      remember(name);
      await take('admin.requests', found.who);
      return { ...found, via: 'api', origin: address ?? 'unknown' };
    },
  };
}
