import type { Logger } from 'pino';
import { foldAddress } from '../../model/addresses.ts';
import { homeserverOf } from '../../model/mxid.ts';
import { aheadOf, newestOf } from '../../model/precedence.ts';
import type { Clock } from '../../platform/clock.ts';
import type { OnbindMetrics } from '../../platform/onbind-metrics.ts';
import type { Random } from '../../platform/random.ts';
import type { Signatures } from '../../signing/signed-json.ts';
import type {
  FoundAssociation,
  GlobalAssociation,
  Invite,
  KnownOfAddress,
  LookupStore,
  OpenTransaction,
  OwedNotice,
  WantedInvites,
} from '../../storage/stores/index.ts';
import { currentMxid } from '../associations/lookup.ts';
import { type Association, toAssociation } from '../associations/signed-association.ts';
import type { ServerKeys } from '../server-keys.ts';

/**
 * What binds owe to homeservers: that each is told of the bindings of its users, and given their
 * pending invitations (Server-Server API, `PUT /_matrix/federation/v1/3pid/onbind`).
 * All of it is noted in the transaction that changes the bindings, and under the log's lock.
 */
export interface OnbindNotices {
  /**
   * Notes for a bind that the user's homeserver is to be told, with the invitations that are pending, and takes
   * back what was owed for the address before.
   */
  enqueue(
    stores: OpenTransaction,
    association: Association,
    known: Pick<KnownOfAddress, 'owed' | 'pending'>,
  ): Promise<void>;
  /** Which invitations are pending then: those that came later, so many of them. */
  pendingAt(now: number): Pick<WantedInvites, 'since' | 'limit'>;
  /** The same for bindings that another server made: owed only where invitations are pending here. */
  enqueueInvitations(
    stores: OpenTransaction,
    bindings: readonly GlobalAssociation[],
  ): Promise<void>;
  /**
   * Takes back what is owed for bindings of these folded addresses that are gone, or that a newer one
   * has replaced. Their invitations are pending again.
   */
  takeBack(stores: OpenTransaction, threepids: readonly BoundAddress[]): Promise<void>;
  /** The invitation as the bound user gets it. */
  sign(invite: Invite, mxid: string): SignedInvite;
}

export interface BoundAddress {
  readonly medium: string;
  readonly address: string;
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

export interface OnbindNoticesDependencies {
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Pick<OnbindMetrics, 'notice'>;
  /** Milliseconds that an invitation is pending at most; 0: for ever. */
  readonly expiry: number;
  /** Told when notices have been added, and are committed. */
  readonly added: () => void;
}

/** Beyond so many the rest is found by the address's next bind. */
const INVITES_FOUND = 1000;
/** A homeserver takes up one after the other while we wait for its answer. */
const INVITES_PER_NOTICE = 50;
/** Addresses looked at together. */
const CHUNK = 500;

export function createOnbindNotices(deps: OnbindNoticesDependencies): OnbindNotices {
  const { keys, clock, random, logger, metrics, expiry } = deps;

  const pendingAt = (now: number) => ({
    since: expiry === 0 ? 0 : now - expiry,
    limit: INVITES_FOUND,
  });

  async function add(
    stores: OpenTransaction,
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
    const unsigned = JSON.stringify({ medium, address, mxid, ts, not_before, not_after });
    stores.onCommit(deps.added);
    const parts = Math.max(1, Math.ceil(invites.length / INVITES_PER_NOTICE));
    await stores.onbindNotices.add(
      Array.from({ length: parts }, (_, part) => ({
        id: random.integer53(),
        serverName,
        address,
        association: unsigned,
        createdAt: now,
        dueAt: now,
        tokens: invites
          .slice(part * INVITES_PER_NOTICE, (part + 1) * INVITES_PER_NOTICE)
          .map(({ token }) => token),
      })),
    );
  }

  async function withdraw(stores: OpenTransaction, notices: readonly OwedNotice[]): Promise<void> {
    if (notices.length === 0) return;
    await stores.onbindNotices.remove(notices.map(({ id }) => id));
    stores.onCommit(() => metrics.notice('withdrawn', notices.length));
  }

  async function takeBack(
    stores: OpenTransaction,
    threepids: readonly BoundAddress[],
  ): Promise<void> {
    const now = clock.now();
    const addresses = [...new Set(threepids.map(({ address }) => address))];
    for (let from = 0; from < addresses.length; from += CHUNK) {
      const chunk = addresses.slice(from, from + CHUNK);
      const owed = await stores.onbindNotices.owedFor(chunk);
      await withdraw(stores, await replacedOf(stores.lookups, owed, now));
    }
  }

  return {
    pendingAt,

    async enqueue(stores, association, { owed, pending }) {
      await withdraw(stores, owed);
      await add(stores, association, pending, clock.now());
    },

    async enqueueInvitations(stores, bindings) {
      await takeBack(stores, bindings);
      const now = clock.now();
      for (const [medium, bound] of Map.groupBy(bindings, (binding) => binding.medium)) {
        const byAddress = new Map(bound.map((binding) => [binding.address, binding]));
        const { since, limit } = pendingAt(now);
        const addresses = [...byAddress.keys()];
        const invites = await stores.invitations.pending(medium, addresses, since, limit);
        const found = Map.groupBy(invites, ({ address }) => foldAddress(medium, address));
        for (const [address, ofAddress] of found) {
          const binding = byAddress.get(address);
          if (binding === undefined) continue;
          const { mxid, notBefore } = binding;
          // The clock of the server that made it may be ahead of this one's.
          const from = Math.max(clock.latest(), notBefore);
          // Of several bindings of the address only the newest counts, whoever made it.
          if ((await currentMxid(stores.lookups, medium, address, from)) !== mxid) continue;
          await add(stores, toAssociation(binding), ofAddress, now);
        }
      }
    },

    takeBack,

    sign({ medium, address, roomId, sender, token }, mxid) {
      // A homeserver checks it by the keys of the time when it stored the invitation in the room.
      const signed = keys.signWithAll({ mxid, token });
      return { medium, address, room_id: roomId, sender, token, mxid, signed };
    },
  };
}

const parseBinding = ({ association }: OwedNotice) => JSON.parse(association) as Association;

/** Those of the binding's address. */
function associationsOf(binding: Association, found: readonly FoundAssociation[]) {
  return found.filter(({ key, medium }) => key === binding.address && medium === binding.medium);
}

const isThat =
  ({ mxid, ts }: Association) =>
  (found: FoundAssociation) =>
    found.mxid === mxid && found.ts === ts;

/** Whether that binding is still there, as it was when the notice was made. */
export async function stillStands(
  lookups: LookupStore,
  binding: Association,
  now: number,
): Promise<boolean> {
  const at = Math.max(now, binding.not_before);
  const found = await lookups.byAddresses([binding.address], at);
  return associationsOf(binding, found).some(isThat(binding));
}

/** Those that do not stand any more, or whose address a newer binding has given to another user. */
async function replacedOf(
  lookups: LookupStore,
  owed: readonly OwedNotice[],
  now: number,
): Promise<OwedNotice[]> {
  const bindings = owed.map((entry) => ({ entry, binding: parseBinding(entry) }));
  const replaced: OwedNotice[] = [];
  // By a clock that is ahead a binding begins later than now, and counts already.
  const soon = aheadOf(now);
  const byTime = Map.groupBy(bindings, ({ binding }) => Math.max(soon, binding.not_before));
  for (const [at, group] of byTime) {
    const found = await lookups.byAddresses(
      [...new Set(group.map(({ binding }) => binding.address))],
      at,
    );
    for (const { entry, binding } of group) {
      const ofAddress = associationsOf(binding, found);
      const isCurrent = newestOf(ofAddress)?.mxid === binding.mxid;
      if (!isCurrent || !ofAddress.some(isThat(binding))) replaced.push(entry);
    }
  }
  return replaced;
}
