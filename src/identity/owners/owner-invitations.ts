import { parseWebClient, type WebClient } from '../../model/web-client.ts';
import type { Clock } from '../../platform/clock.ts';
import type { InviteRow, Storage } from '../../storage/stores/index.ts';
import { openedMail } from '../invitations/invitation-mail.ts';
import { cleanText, type InvitationMail } from '../invitations/invitation-text.ts';
import { isPending } from '../invitations/resending.ts';
import type { WebClientRules } from '../invitations/web-client.ts';
import type { ServerKeys } from '../server-keys.ts';
import type { OwnedThreePid } from './owner-data.ts';

/** An invitation that waits for the owner of its address. All texts are as they may be shown. */
export interface WaitingInvitation {
  readonly id: number;
  /** The user id of who invites, as the homeserver, or anybody in version 1, said. */
  readonly sender: string;
  /** Undefined: none was said, or it is not kept. */
  readonly senderName: string | undefined;
  readonly roomName: string | undefined;
  readonly isSpace: boolean;
  readonly roomId: string;
  /** Milliseconds since the epoch. */
  readonly receivedAt: number | undefined;
  /** The apps that it can be opened in, as its mail does it; none where what the mail said is not kept. */
  readonly apps: readonly AppLink[];
}

export interface AppLink {
  readonly host: string;
  readonly url: string;
}

export interface OwnerInvitationsDependencies {
  readonly storage: Pick<Storage, 'stores' | 'logTransaction'>;
  readonly keys: Pick<ServerKeys, 'open'>;
  readonly clock: Clock;
  readonly webClients: WebClientRules;
  /** The URL of `sign-ed25519`. */
  readonly signUrl: string;
  /** Milliseconds that an invitation is pending at most; 0: for ever. */
  readonly expiry: number;
}

/** So many are looked through, of which so many are shown, and apps of each. */
const LOOKED_AT = 500;
const MOST = 25;
const MOST_APPS = 4;

/** What the app at that location opens the invitation by: as the stock mail has it. */
function linkIn(location: string, { address, values }: InvitationMail): string {
  const part = (name: string) => encodeURIComponent((values[name] ?? '').toWellFormed());
  const query = [
    ['email', encodeURIComponent(address)],
    ['signurl', part('signurl')],
    ['room_name', part('room_name')],
    ['room_avatar_url', part('room_avatar_url')],
    ['inviter_name', part('sender_display_name')],
    ['guest_access_token', part('guest_access_token')],
    ['guest_user_id', part('guest_user_id')],
    ['room_type', part('room_type')],
  ].map(([name, value]) => `${name}=${value}`);
  return `${location}/#/room/${part('room_id')}?${query.join('&')}`;
}

/** What waits for owners of addresses. */
export function createOwnerInvitations(deps: OwnerInvitationsDependencies) {
  const { storage, keys, clock, webClients, signUrl, expiry } = deps;
  const offered = [webClients.defaultWebClientLocation, ...webClients.webClientAllowList];

  function appsFor(mail: InvitationMail): AppLink[] {
    const named = mail.values['web_client_location'] ?? '';
    const clients = [...new Set([named, ...offered])]
      .map((location) => parseWebClient(location))
      .filter((client): client is WebClient => client !== undefined);
    return clients
      .slice(0, MOST_APPS)
      .map(({ location, host }) => ({ host, url: linkIn(location, mail) }));
  }

  async function shown({ id, token, sender, roomId, receivedAt }: InviteRow) {
    const kept = await storage.stores.invitations.mail(token);
    const mail = kept && openedMail(kept, token, keys, signUrl);
    const values = mail?.values ?? {};
    return {
      id,
      sender: cleanText(sender),
      senderName: values['sender_display_name'] || undefined,
      roomName: values['room_name'] || undefined,
      isSpace: mail?.isSpace ?? false,
      roomId: cleanText(roomId),
      receivedAt,
      apps: mail === undefined ? [] : appsFor(mail),
    };
  }

  const pendingAt = async ({ medium, address }: OwnedThreePid) => {
    const which = { medium, address, undelivered: true };
    const found = await storage.stores.overview.invites(which, { after: 0, limit: LOOKED_AT });
    return found.filter((invite) => isPending(invite, expiry, clock.now())).slice(0, MOST);
  };

  return {
    /** Those that wait for the owner of an address, the oldest 25 at most. */
    async waiting(threepid: OwnedThreePid): Promise<WaitingInvitation[]> {
      const all: WaitingInvitation[] = [];
      for (const invite of await pendingAt(threepid)) all.push(await shown(invite));
      return all;
    },

    /** Gives up one of the address's: its key is valid no more. Whether there was one. */
    async decline({ medium, address }: OwnedThreePid, id: number): Promise<boolean> {
      return storage.logTransaction(async ({ overview, invitations }) => {
        const [found] = await overview.invites({ medium, address }, { after: id - 1, limit: 1 });
        if (found?.id !== id || !isPending(found, expiry, clock.now())) return false;
        await invitations.remove([found.token], clock.now());
        return true;
      });
    },
  };
}

export type OwnerInvitations = ReturnType<typeof createOwnerInvitations>;
