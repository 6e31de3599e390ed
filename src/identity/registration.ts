import type { Accounts } from './accounts.ts';
import { IdentityError } from './errors.ts';

/** Making accounts: a homeserver vouches for its user by an OpenID token. */
export interface Registration {
  /**
   * An access token for the user whose OpenID token it is.
   * @throws IdentityError `homeserver-not-allowed`, and what asking the homeserver throws
   */
  register(homeserver: string, openIdToken: string): Promise<string>;
}

export interface RegistrationDependencies {
  readonly accounts: Accounts;
  /** The user whose OpenID token it is, asked of that homeserver, which is theirs. */
  readonly userOf: (homeserver: string, openIdToken: string) => Promise<string>;
  /** Lower case. Empty: all. */
  readonly allowedHomeservers: readonly string[];
}

export function createRegistration(deps: RegistrationDependencies): Registration {
  const allowed = new Set(deps.allowedHomeservers);
  return {
    async register(homeserver, openIdToken) {
      const name = homeserver.toLowerCase();
      if (allowed.size > 0 && !allowed.has(name)) {
        throw new IdentityError(
          'homeserver-not-allowed',
          'Users of this homeserver cannot register here',
        );
      }
      return deps.accounts.issueToken(await deps.userOf(name, openIdToken));
    },
  };
}
