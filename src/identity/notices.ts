import type { Logger } from 'pino';
import type { Clock } from '../platform/clock.ts';
import type { OutboxMetrics } from '../platform/outbox-metrics.ts';
import type { Random } from '../platform/random.ts';
import type { Signatures } from '../signing/signed-json.ts';
import type { GlobalAssociation, Invite, Notice, Storage, Stores } from '../storage/stores.ts';
import { foldAddress } from './addresses.ts';
import { currentMxid } from './lookup.ts';
import { homeserverOf } from './mxid.ts';
import type { ServerKeys } from './server-keys.ts';
import { type Association, toAssociation } from './signed-association.ts';

/**
 * What binds owe to homeservers: that each is told of the bindings of its users, and given their
 * pending invitations (Server-Server API, `PUT /_matrix/federation/v1/3pid/onbind`).
 */
export interface Notices {
  /**
   * Notes, in the transaction of a bind and under the log's lock, that the user's homeserver is to be told.
   * @param spellings of the address, the folded one included
   * @returns the invitations that the notice carries
   */
  owe(stores: Stores, association: Association, spellings: readonly string[]): Promise<Invite[]>;
  /** The same for bindings that another server made: owed only where invitations are pending here. */
  oweInvitations(stores: Stores, bindings: readonly GlobalAssociation[]): Promise<void>;
  /** The invitation as the bound user gets it. */
  sign(invite: Invite, mxid: string): SignedInvite;
  /** Tells the homeserver, now. */
  deliver(notice: Notice): Promise<NoticeResult>;
}

/** An invitation as it stands in a bind's answer and in the notice. */
export interface SignedInvite {
  readonly medium: string;
  readonly address: string;
  readonly room_id: string;
  readonly sender: string;
  readonly token: string;
  readonly mxid: string;
  readonly signed: {
    readonly mxid: string;
    readonly token: string;
    readonly signatures: Signatures;
  };
}

/** How a homeserver answered a notice. */
export type NoticeAnswer =
  | { readonly kind: 'taken' }
  /** It does not want this one, now or ever. */
  | { readonly kind: 'refused'; readonly reason: string }
  | NotNow;

/** It could not be asked, or could not answer. */
export interface NotNow {
  readonly kind: 'not-now';
  readonly reason: string;
  /** Milliseconds it wants to be left alone. */
  readonly wait: number;
}

/** The notice is done with, or to be tried again. */
export type NoticeResult = { readonly kind: 'done' } | NotNow;

/** What a homeserver is told, signed. */
export type NoticeBody = Association & {
  readonly invites: readonly SignedInvite[];
  readonly signatures: Signatures;
};

export type SendNotice = (serverName: string, body: NoticeBody) => Promise<NoticeAnswer>;

export interface NoticesDependencies {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: OutboxMetrics;
  readonly send: SendNotice;
  readonly rules: {
    /** Whether delivered invitations stay, marked as such. */
    readonly keepDelivered: boolean;
    /** Milliseconds that an invitation is pending at most; 0: for ever. */
    readonly expiry: number;
    /** Milliseconds that an invitation's key stays valid once it is not pending any more. */
    readonly keyGrace: number;
  };
}

/** Beyond so many the rest is found by the address's next bind. */
const INVITES_FOUND = 1000;
/** A homeserver takes up one after the other while we wait for its answer. */
const INVITES_PER_NOTICE = 50;

export function createNotices(deps: NoticesDependencies): Notices {
  const { storage, keys, clock, random, logger, metrics, send, rules } = deps;

  const pending = (stores: Stores, medium: string, addresses: readonly string[], now: number) => {
    const since = rules.expiry === 0 ? 0 : now - rules.expiry;
    return stores.invitations.pending(medium, addresses, since, INVITES_FOUND);
  };

  async function add(
    stores: Stores,
    association: Association,
    invites: readonly Invite[],
    now: number,
  ): Promise<void> {
    const { medium, address, mxid, ts, not_before, not_after } = association;
    const serverName = homeserverOf(mxid);
    if (serverName === undefined) {
      logger.warn({ mxid }, 'This user has no homeserver that could be told of the binding');
      return;
    }
    const unsigned = { medium, address, mxid, ts, not_before, not_after };
    for (let from = 0; from === 0 || from < invites.length; from += INVITES_PER_NOTICE) {
      const carried = invites.slice(from, from + INVITES_PER_NOTICE);
      await stores.outbox.add({
        id: random.integer53(),
        serverName,
        association: JSON.stringify(unsigned),
        createdAt: now,
        tokens: carried.map(({ token }) => token),
      });
    }
  }

  function sign({ medium, address, roomId, sender, token }: Invite, mxid: string): SignedInvite {
    // A homeserver checks it by the keys of the time when it stored the invitation in the room.
    const signed = keys.signWithAll({ mxid, token });
    return { medium, address, room_id: roomId, sender, token, mxid, signed };
  }

  /** Always the same for the same invitations: what is sent again is what was sent before. */
  function body(association: Association, invites: readonly Invite[]): NoticeBody {
    const signed = invites.map((invite) => sign(invite, association.mxid));
    return keys.sign({ ...association, invites: signed });
  }

  /** Whoever changes invitations or notices holds the log's lock: a bind sees either all of it or nothing. */
  function settle(invites: readonly Invite[], notice?: Notice): Promise<void> {
    return storage.transaction(async ({ associations, invitations, outbox }) => {
      await associations.lockLog();
      const now = clock.now();
      await invitations.settle(
        invites.map(({ token }) => token),
        { keep: rules.keepDelivered, now, keysUntil: now + rules.keyGrace },
      );
      if (notice !== undefined) await outbox.remove(notice.id);
    });
  }

  function giveUp(notice: Notice, reason: string, what: string): void {
    logger.info({ homeserver: notice.serverName, reason }, `A homeserver refused ${what}`);
    metrics.notice('refused');
  }

  /** One of several was refused, and nobody says which: each is tried by itself. */
  async function deliverOneByOne(
    notice: Notice,
    association: Association,
    invites: readonly Invite[],
  ): Promise<NoticeResult> {
    for (const invite of invites) {
      const answer = await send(notice.serverName, body(association, [invite]));
      if (answer.kind === 'not-now') return answer;
      if (answer.kind === 'refused') giveUp(notice, answer.reason, 'an invitation');
      else metrics.invitationDelivered();
      await settle([invite]);
    }
    await settle([], notice);
    metrics.notice('delivered');
    return { kind: 'done' };
  }

  return {
    sign,

    async owe(stores, association, spellings) {
      const now = clock.now();
      const invites = await pending(stores, association.medium, spellings, now);
      await add(stores, association, invites, now);
      return invites;
    },

    async oweInvitations(stores, bindings) {
      const now = clock.now();
      for (const [medium, bound] of Map.groupBy(bindings, (binding) => binding.medium)) {
        const byAddress = new Map(bound.map((binding) => [binding.address, binding]));
        const invites = await pending(stores, medium, [...byAddress.keys()], now);
        const found = Map.groupBy(invites, ({ address }) => foldAddress(medium, address));
        for (const [address, ofAddress] of found) {
          const binding = byAddress.get(address);
          if (binding === undefined) continue;
          const { mxid, notBefore } = binding;
          // The clock of the server that made it may be ahead of this one's.
          const from = Math.max(now, notBefore);
          // Of several bindings of the address only the newest counts, whoever made it.
          if ((await currentMxid(stores.lookups, medium, address, from)) !== mxid) continue;
          await add(stores, toAssociation(binding), ofAddress, now);
        }
      }
    },

    async deliver(notice) {
      const association = JSON.parse(notice.association) as Association;
      const invites = await storage.stores.outbox.invitesOf(notice.id);
      const answer = await send(notice.serverName, body(association, invites));
      if (answer.kind === 'not-now') return answer;
      if (answer.kind === 'refused' && invites.length > 1) {
        return deliverOneByOne(notice, association, invites);
      }
      if (answer.kind === 'refused') {
        giveUp(notice, answer.reason, invites.length > 0 ? 'an invitation' : 'a notice');
      } else {
        metrics.notice('delivered');
        metrics.invitationDelivered(invites.length);
      }
      await settle(invites, notice);
      return { kind: 'done' };
    },
  };
}
