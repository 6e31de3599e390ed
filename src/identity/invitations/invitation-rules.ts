import type { WebClientRules } from './web-client.ts';

/** What the configuration says of invitations. */
export interface InvitationRules extends WebClientRules {
  readonly homeserverBlocklist: readonly string[];
  readonly roomBlocklist: readonly string[];
  readonly keywordBlocklist: readonly string[];
  readonly obfuscateUsernameCharacters: number;
  readonly obfuscateDomainCharacters: number;
  readonly invites: {
    readonly extraFields: readonly string[];
    /** Milliseconds; 0: never. */
    readonly expiry: number;
    readonly keyGrace: number;
  };
}
