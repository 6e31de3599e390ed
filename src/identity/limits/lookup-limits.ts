import { createHash } from 'node:crypto';
import type { AskedAddresses } from './asked-addresses.ts';
import { byNetwork, type Caller } from './charges.ts';
import { type HomeserverAccounts, homeserverKey, homeserverName } from './homeserver-accounts.ts';
import type { Charge, Limits } from './limits.ts';

/** How many addresses may be looked up. */
export interface LookupLimits {
  /**
   * Charges the caller for addresses that they are about to be told of, each in the form in which it is asked: an
   * account for those that it did not ask in the last 7 days, in version 1 a network for all. What is there twice
   * counts once.
   * @throws IdentityError `limit-exceeded`: then nothing is to be told.
   */
  admit(caller: Caller, addresses: readonly string[]): Promise<void>;
  /** Under another pepper all ask everything anew: accounts and homeservers have their whole allowance again. */
  pepperChanged(pepper: string): void;
}

export interface LookupLimitsDependencies {
  readonly limits: Limits;
  readonly asked: AskedAddresses;
  /** The pepper in use. */
  readonly pepper: string;
  readonly homeserverAccounts: HomeserverAccounts;
  /** Names in lower case, to which the limit by homeserver does not apply. */
  readonly trustedHomeservers: readonly string[];
}

/** With so many accounts a homeserver may look up what any may; with more, more. */
const USUAL_ACCOUNTS = 250;
/** Characters: peppers are told apart. */
const GENERATION = 12;

export function createLookupLimits(deps: LookupLimitsDependencies): LookupLimits {
  const { limits, asked, homeserverAccounts } = deps;
  const trusted = new Set(deps.trustedHomeservers);

  function byHomeserver(user: string, units: number): Charge[] {
    if (trusted.has(homeserverName(user))) return [];
    const key = homeserverKey(user);
    // Before the first count is done, all may be old: it is charged, and not refused.
    const accounts = homeserverAccounts.of(key) ?? Infinity;
    const burst = Math.max(1, accounts / USUAL_ACCOUNTS);
    return [{ limit: 'lookup.homeserver', key, units, size: { burst, rate: 1 } }];
  }

  function pepperChanged(pepper: string): void {
    const generation = createHash('sha256').update(pepper).digest('base64url').slice(0, GENERATION);
    limits.refill('lookup.account', generation);
    limits.refill('lookup.homeserver', generation);
  }
  pepperChanged(deps.pepper);

  return {
    async admit(caller, addresses) {
      limits.admit(caller);
      const { user } = caller;
      if (user === undefined) {
        const units = new Set(addresses).size;
        await limits.charge([
          ...byNetwork('lookup.network_v1', caller, units),
          ...byNetwork('lookup.network', caller, units),
        ]);
        return;
      }
      const { fresh, remember } = await asked.compare(user, addresses);
      if (fresh > 0) {
        await limits.charge([
          { limit: 'lookup.account', key: user, units: fresh },
          ...byNetwork('lookup.network', caller, fresh),
          ...byHomeserver(user, fresh),
        ]);
      }
      remember();
    },
    pepperChanged,
  };
}
