import { IdentityError } from '../../model/errors.ts';
import { byNetwork, type Caller } from '../limits/charges.ts';
import type { Limits } from '../limits/limits.ts';
import type { Accounts } from './accounts.ts';

/** Making accounts: a homeserver vouches for its user by an OpenID token. */
export interface Registration {
  /**
   * An access token for the user whose OpenID token it is.
   * @throws IdentityError `homeserver-not-allowed`, `limit-exceeded`, and what asking the homeserver throws
   */
  register(request: RegistrationRequest): Promise<string>;
}

export interface RegistrationRequest {
  readonly homeserver: string;
  readonly openIdToken: string;
  readonly caller: Caller;
}

export interface RegistrationDependencies {
  readonly limits: Limits;
  readonly accounts: Accounts;
  /** The user whose OpenID token it is, asked of that homeserver, which is theirs. */
  readonly userOf: (homeserver: string, openIdToken: string, caller: Caller) => Promise<string>;
  /** Lower case. Empty: all. */
  readonly allowedHomeservers: readonly string[];
}

export function createRegistration(deps: RegistrationDependencies): Registration {
  const allowed = new Set(deps.allowedHomeservers);
  return {
    async register({ homeserver, openIdToken, caller }) {
      const name = homeserver.toLowerCase();
      if (allowed.size > 0 && !allowed.has(name)) {
        throw new IdentityError(
          'homeserver-not-allowed',
          'Users of this homeserver cannot register here',
        );
      }
      deps.limits.admit(caller);
      // Counted before, so that many at once cannot slip through, and given back where it fails.
      const charged = await deps.limits.charge(byNetwork('register.ratelimit', caller));
      try {
        const user = await deps.userOf(name, openIdToken, caller);
        deps.limits.admit(caller, user);
        return await deps.accounts.issueToken(user);
      } catch (error) {
        charged.giveBack();
        throw error;
      }
    },
  };
}
