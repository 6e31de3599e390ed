import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import type {
  OpenTransaction,
  PendingInvite,
  PendingOf,
  Stores,
} from '../../storage/stores/index.ts';
import { type Limits, limitExceeded } from '../limits/limits.ts';

/** That no more invitations are pending than an address and a sender may have. */
export interface InvitationQuota {
  placeFor(newcomer: Newcomer): Place;
}

/** Where one invitation is to come in; that it meets a limit is noted once. */
export interface Place {
  /**
   * Changes nothing.
   * @throws IdentityError `limit-exceeded` when there is no room, and nothing that would give way
   */
  check(stores: Stores): Promise<void>;
  /**
   * Where there is no room, an older invitation gives way: its token and key are worth what those of one
   * that has expired are. Under the log's lock.
   * @throws IdentityError `limit-exceeded` when there is none that may
   */
  make(stores: OpenTransaction): Promise<void>;
}

/** An invitation that is to come in. */
export interface Newcomer {
  /** Folded. */
  readonly address: string;
  readonly sender: string;
  /** Whether the sender is only claimed. */
  readonly isV1: boolean;
}

type InvitationLimit = 'invites.address' | 'invites.sender';

export interface InvitationRoomDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: Pick<Limits, 'most' | 'reached'>;
  /** Milliseconds that an invitation is pending at most (0: for ever), and its key is valid after that. */
  readonly rules: { readonly expiry: number; readonly keyGrace: number };
  /** Called for each invitation that gave way. */
  readonly onGivenWay: () => void;
}

/** Nobody knows when there will be room; by then some may have been taken up. */
const RETRY_AFTER = 60 * 60 * 1000;

interface Full {
  readonly limit: InvitationLimit;
  readonly givesWay: PendingInvite | undefined;
}

export function createInvitationQuota(deps: InvitationRoomDependencies): InvitationQuota {
  const { clock, logger, limits, rules } = deps;

  /** What is limited, and which invitations give way, one kind after the other. */
  function limitsOn({ address, sender, isV1 }: Newcomer) {
    const since = rules.expiry === 0 ? 0 : clock.now() - rules.expiry;
    // Of those that anybody could have sent first: many of them must not push out what an account sent.
    const ofAddress: PendingOf[] = [{ address, isV1: true, since }];
    if (!isV1) ofAddress.push({ address, sender, isV1, since });
    // A claimed sender is another than the account of that name.
    const ofSender: PendingOf = { sender, isV1, since };
    return [
      { limit: 'invites.address', counted: { address, since }, giveWay: ofAddress },
      { limit: 'invites.sender', counted: ofSender, giveWay: [ofSender] },
    ] as const;
  }

  async function oldestOf({ invitations }: Stores, kinds: readonly PendingOf[]) {
    for (const kind of kinds) {
      const oldest = await invitations.oldestPending(kind);
      if (oldest !== undefined) return oldest;
    }
    return undefined;
  }

  /** The limits that are reached, as things stand when each is asked for. */
  async function* reached(stores: Stores, newcomer: Newcomer): AsyncGenerator<Full> {
    for (const { limit, counted, giveWay } of limitsOn(newcomer)) {
      const size = limits.most(limit);
      if (size === Infinity || !(await stores.invitations.hasPending(counted, size))) continue;
      yield { limit, givesWay: await oldestOf(stores, giveWay) };
    }
  }

  async function giveWay(
    { invitations, onCommit }: OpenTransaction,
    limit: InvitationLimit,
    invite: PendingInvite,
  ) {
    await invitations.remove([invite.token], clock.now() + rules.keyGrace);
    onCommit(() => {
      deps.onGivenWay();
      logger.warn(
        { limit, sender: invite.sender, room: invite.roomId, received: invite.receivedAt },
        'A pending invitation gave way to a newer one',
      );
    });
  }

  return {
    placeFor(newcomer) {
      const noted = new Map<InvitationLimit, boolean>();
      const refuses = (limit: InvitationLimit) => {
        const is = noted.get(limit) ?? limits.reached(limit);
        noted.set(limit, is);
        return is;
      };
      return {
        async check(stores) {
          for await (const { limit, givesWay } of reached(stores, newcomer)) {
            if (givesWay === undefined && refuses(limit)) throw limitExceeded(limit, RETRY_AFTER);
          }
        },
        async make(stores) {
          for await (const { limit, givesWay } of reached(stores, newcomer)) {
            if (!refuses(limit)) continue;
            if (givesWay === undefined) throw limitExceeded(limit, RETRY_AFTER);
            await giveWay(stores, limit, givesWay);
          }
        },
      };
    },
  };
}
