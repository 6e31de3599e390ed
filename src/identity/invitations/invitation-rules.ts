import { parseMxid } from '../../model/mxid.ts';
import type { WebClientRules } from './web-client.ts';

/** From where, and to where, nobody can invite. */
interface BlockedPlaces {
  readonly homeserverBlocklist: readonly string[];
  readonly roomBlocklist: readonly string[];
}

/** What the configuration says of invitations. */
export interface InvitationRules extends WebClientRules, BlockedPlaces {
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

/**
 * Whether the lists keep an invitation back because of where it comes from or leads to, and which of them does.
 * @param places homeservers in lower case
 */
export function blockedBy(
  { homeserverBlocklist, roomBlocklist }: BlockedPlaces,
  { sender, roomId }: { readonly sender: string; readonly roomId: string },
): 'homeserver' | 'room' | undefined {
  const homeserver = parseMxid(sender)?.serverName.toLowerCase() ?? '';
  if (homeserverBlocklist.includes(homeserver)) return 'homeserver';
  return roomBlocklist.includes(roomId) ? 'room' : undefined;
}
