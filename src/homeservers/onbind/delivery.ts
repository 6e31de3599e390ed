import type { Logger } from 'pino';
import type { Association } from '../../identity/associations/signed-association.ts';
import {
  type OnbindNotices,
  type SignedInvite,
  stillStands,
} from '../../identity/invitations/onbind-notices.ts';
import type { MessageTrail } from '../../identity/messages/message-trail.ts';
import type { ServerKeys } from '../../identity/server-keys.ts';
import type { Medium } from '../../model/addresses.ts';
import type { Clock } from '../../platform/clock.ts';
import type { OnbindMetrics } from '../../platform/onbind-metrics.ts';
import type { Random } from '../../platform/random.ts';
import type { Signatures } from '../../signing/signed-json.ts';
import type { Invite, Notice, Storage } from '../../storage/stores/index.ts';

/** What a homeserver is told, signed. */
export type NoticeBody = Association & {
  readonly invites: readonly SignedInvite[];
  readonly signatures: Signatures;
};

/**
 * Tells a homeserver.
 * @param isOwed asked before each request, once the homeserver is found; when it is not, nothing is sent
 */
export type SendNotice = (
  serverName: string,
  body: NoticeBody,
  isOwed: () => Promise<boolean>,
) => Promise<NoticeAnswer>;

/** How a homeserver answered a notice. */
export type NoticeAnswer =
  | { readonly kind: 'taken' }
  /** It does not want this one, for now at least. */
  | Refused
  /** It was not owed any more. */
  | { readonly kind: 'not-sent' }
  | NotNow;

interface Refused {
  readonly kind: 'refused';
  readonly reason: string;
}

/** It could not be asked, or could not answer. */
export interface NotNow {
  readonly kind: 'not-now';
  readonly reason: string;
  /** Milliseconds it wants to be left alone. */
  readonly wait: number;
}

export type NoticeResult =
  | { readonly kind: 'taken' }
  /** To be offered again, later. */
  | Refused
  /** Its invitations were refused together; from now on each is a notice of its own. */
  | { readonly kind: 'split' }
  /** Its binding was taken back; nobody was asked. */
  | { readonly kind: 'withdrawn' }
  /** To be tried again, as others to this homeserver are. */
  | NotNow;

export interface NoticeDeliveryDependencies {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: OnbindMetrics;
  readonly trail: Pick<MessageTrail, 'note'>;
  readonly sign: OnbindNotices['sign'];
  readonly send: SendNotice;
  readonly rules: {
    /** Whether delivered invitations stay, marked as such. */
    readonly keepDelivered: boolean;
    /** Milliseconds that an invitation's key stays valid once it is not pending any more. */
    readonly keyGrace: number;
  };
}

/** Tells its homeserver of a notice, now. */
export type DeliverNotice = (id: number) => Promise<NoticeResult>;

export function createNoticeDelivery(deps: NoticeDeliveryDependencies): DeliverNotice {
  const { storage, keys, clock, random, logger, metrics, trail, sign, send, rules } = deps;
  const { onbindNotices, lookups } = storage.stores;

  /** Always the same for the same invitations: what is sent again is what was sent before. */
  function body(association: Association, invites: readonly Invite[]): NoticeBody {
    const signed = invites.map((invite) => sign(invite, association.mxid));
    return keys.sign({ ...association, invites: signed });
  }

  /** Also when its binding was taken back meanwhile: what the homeserver took is delivered. */
  async function markDelivered(id: number, invites: readonly Invite[]): Promise<void> {
    await storage.logTransaction(async (stores) => {
      const now = clock.now();
      await stores.invitations.markDelivered(
        invites.map(({ token }) => token),
        { keep: rules.keepDelivered, now, keysUntil: now + rules.keyGrace },
      );
      await stores.onbindNotices.remove([id]);
    });
    metrics.notice('delivered');
    metrics.invitationDelivered(invites.length);
  }

  /** A binding that went without its notices being taken back, such as by a Sydent on the same file. */
  async function withdraw({ id }: Notice, association: Association): Promise<void> {
    await storage.logTransaction(async (stores) => {
      const isThere = (await stores.onbindNotices.find(id)) !== undefined;
      if (!isThere || (await stillStands(stores.lookups, association, clock.latest()))) return;
      await stores.onbindNotices.remove([id]);
      stores.onCommit(() => metrics.notice('withdrawn'));
    });
  }

  /** One of several was refused, and nobody says which. False when they are not several any more. */
  function split({ id }: Notice, { address }: Association): Promise<boolean> {
    return storage.logTransaction(async (stores) => {
      const notice = await stores.onbindNotices.find(id);
      const invites = await stores.onbindNotices.invitesOf(id);
      if (notice === undefined || invites.length < 2) return false;
      const now = clock.now();
      const { serverName, association, createdAt, refusedAt = now } = notice;
      await stores.onbindNotices.remove([id]);
      await stores.onbindNotices.add(
        invites.map(({ token }) => ({
          id: random.integer53(),
          serverName,
          address,
          association,
          createdAt,
          refusedAt,
          dueAt: now,
          tokens: [token],
        })),
      );
      return true;
    });
  }

  return async (id) => {
    const notice = await onbindNotices.find(id);
    if (notice === undefined) return { kind: 'withdrawn' };
    const { serverName } = notice;
    const association = JSON.parse(notice.association) as Association;
    const invites = await onbindNotices.invitesOf(id);
    const answer = await send(serverName, body(association, invites), async () => {
      const [kept, stands] = await Promise.all([
        onbindNotices.find(id),
        stillStands(lookups, association, clock.latest()),
      ]);
      return kept !== undefined && stands;
    });
    if (answer.kind !== 'not-sent') {
      trail.note({
        event: answer.kind === 'taken' ? 'told' : 'not-told',
        medium: association.medium as Medium,
        address: association.address,
        mxid: association.mxid,
        details: {
          homeserver: serverName,
          invitations: invites.length,
          reason: 'reason' in answer ? answer.reason : undefined,
        },
      });
    }
    switch (answer.kind) {
      case 'not-now':
        return answer;
      case 'not-sent':
        await withdraw(notice, association);
        return { kind: 'withdrawn' };
      case 'taken':
        await markDelivered(id, invites);
        return answer;
      case 'refused': {
        metrics.notice('refused');
        const isFirst = notice.refusedAt === undefined || notice.attempts === 0;
        logger[isFirst ? 'info' : 'debug'](
          { homeserver: serverName, reason: answer.reason, invitations: invites.length },
          'A homeserver refused a notice; it is offered again',
        );
        const isSplit = invites.length > 1 && (await split(notice, association));
        return isSplit ? { kind: 'split' } : answer;
      }
    }
  };
}
