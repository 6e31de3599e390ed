import type { Logger } from 'pino';
import { IdentityError } from '../../model/errors.ts';
import { homeserverOf } from '../../model/mxid.ts';
import { backoff } from '../../platform/backoff.ts';
import type { Clock } from '../../platform/clock.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import type { Leases } from '../../platform/leases.ts';
import type { Random } from '../../platform/random.ts';
import { repeat } from '../../platform/repeat.ts';
import { logFailure } from '../../platform/unavailable.ts';
import { waitAtMost } from '../../platform/wait-at-most.ts';
import type { OwnerNotice, Storage } from '../../storage/stores/index.ts';
import { cleanText } from '../invitations/invitation-text.ts';
import type { MessageTrail } from '../messages/message-trail.ts';

/** What one mail tells the owner of an address. What others made up is text without anything to click on. */
export interface OwnerNoticeMail {
  /** Folded: where it goes, and what it is about. */
  readonly address: string;
  /** Whom it led to before the last change. */
  readonly mxid: string;
  /** Whom it leads to; undefined: nobody. */
  readonly newMxid: string | undefined;
  /** The homeserver that asked for it; undefined: an app, by a session. */
  readonly homeserver: string | undefined;
  /** The homeserver of `newMxid`, where it has one. */
  readonly newHomeserver: string | undefined;
  readonly changedAt: number;
  /** How many changes there were since the first that no mail has told of. */
  readonly changes: number;
  readonly since: number;
}

/** Mails what owners of addresses are owed, as long as it runs. */
export interface OwnerMailing {
  /** Something new is owed: committed already. */
  wake(): void;
  /** Resolves when mails under way are sent, or have taken too long; none is begun after. */
  stop(): Promise<void>;
}

export interface OwnerMailingDependencies {
  readonly storage: Pick<Storage, 'stores' | 'logTransaction'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly leases: Leases;
  readonly logger: Logger;
  /** @throws what keeps the mail from being sent */
  readonly send: (mail: OwnerNoticeMail) => Promise<void>;
  /** Milliseconds, where they are not to be the usual ones. */
  readonly timings?: Partial<typeof TIMINGS>;
}

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

/**
 * How many of these mails a mailbox gets. Nothing else is counted there, and only who has proven an address of the
 * mailbox can cause one: so nobody can use it up before its owner is told.
 */
const ROOM = { mails: 3, within: DAY };
/** Mails under way at once: there are few, and other mails are waited for. */
const AT_ONCE = 4;
/** Milliseconds between two tries of one mail at most. */
const LONGEST_WAIT = 6 * HOUR;
/** Milliseconds after the last change, after which nobody is told any more. */
const GIVEN_UP_AFTER = 7 * DAY;

const TIMINGS = {
  /** How often to look for what other processes wrote, and for what is to be tried again. */
  poll: 1000,
  /** For how long a claim holds unless renewed: so late is taken over what a dead process had claimed. */
  lease: 8000,
  /** How long a stop waits for mails under way. */
  drain: 3000,
};

function mailOf({ mxid, newMxid, homeserver, ...notice }: OwnerNotice): OwnerNoticeMail {
  const { address, changedAt, changes, since } = notice;
  const clean = (text: string | undefined) => (text === undefined ? undefined : cleanText(text));
  return {
    ...{ address, changedAt, changes, since },
    mxid: cleanText(mxid),
    newMxid: clean(newMxid),
    homeserver: clean(homeserver),
    newHomeserver: clean(newMxid === undefined ? undefined : homeserverOf(newMxid)),
  };
}

export function startOwnerMailing(deps: OwnerMailingDependencies): OwnerMailing {
  const { storage, clock, random, leases, logger } = deps;
  const timings = { ...TIMINGS, ...deps.timings };
  const { ownerNotices } = storage.stores;
  const { holder } = leases;
  /** By address. */
  const underWay = new Map<string, Promise<void>>();
  let stopped = false;
  let looking: Promise<void> | undefined;
  let lookAgain = false;

  async function mail(notice: OwnerNotice): Promise<void> {
    const claimed = clock.now();
    try {
      await deps.send(mailOf(notice));
    } catch (error) {
      const attempts = notice.attempts + 1;
      const retryInMs = backoff(attempts, { random, longest: LONGEST_WAIT });
      // What the relay says was told already.
      if (!(error instanceof IdentityError)) logFailure(logger, error, 'A notice was not mailed');
      logger.info({ attempts, retryInMs }, 'A notice to the owner of an address is mailed later');
      return ownerNotices.postpone(notice, holder, clock.now() + retryInMs);
    }
    const times = { claimed, sent: clock.now() };
    await storage.logTransaction((stores) => stores.ownerNotices.sent(notice, holder, times, ROOM));
  }

  function begin(notice: OwnerNotice): void {
    const done = mail(notice)
      // The claim lapses by itself.
      .catch((error: unknown) =>
        logFailure(logger, error, 'What became of a notice to an owner could not be noted'),
      )
      .then(() => {
        underWay.delete(notice.address);
        wake();
      });
    underWay.set(notice.address, done);
  }

  /** Whether there may be more. */
  async function claim(): Promise<boolean> {
    const limit = AT_ONCE - underWay.size;
    const now = clock.now();
    const changedAfter = now - GIVEN_UP_AFTER;
    if (limit <= 0 || !(await ownerNotices.hasDue(now, changedAfter))) return false;
    // A claim of our own seems to have lapsed when the clock has stepped; and one that was given back a moment ago ends
    // soon, and is looked at then.
    const wanted = { limit, changedAfter, except: [...underWay.keys()], room: ROOM };
    const { claimed, seen } = await storage.logTransaction((stores) =>
      stores.ownerNotices.claim(leases.lease(timings.lease), wanted),
    );
    for (const notice of claimed) begin(notice);
    return seen === limit;
  }

  async function look(): Promise<void> {
    while (lookAgain && !stopped) {
      lookAgain = false;
      try {
        if (await claim()) lookAgain = true;
      } catch (error) {
        logFailure(logger, error, 'Notices to owners could not be found');
      }
    }
  }

  function wake(): void {
    if (stopped) return;
    lookAgain = true;
    looking ??= look().finally(() => {
      looking = undefined;
    });
  }

  async function renew(): Promise<void> {
    try {
      await ownerNotices.renew(leases.lease(timings.lease), [...underWay.keys()]);
    } catch (error) {
      logFailure(logger, error, 'Claims on notices to owners could not be renewed');
    }
  }

  const polling = repeat(timings.poll, async () => {
    await renew();
    wake();
  });

  return {
    wake,
    async stop() {
      stopped = true;
      await polling.stop();
      await looking;
      const drained = Promise.all(underWay.values()).then(() => {});
      await waitAtMost(timings.drain, drained);
    },
  };
}

/** Gives up what has waited for too long, and forgets the mails of earlier days; how many were given up. */
export async function giveUpOldNotices(deps: {
  readonly storage: Pick<Storage, 'logTransaction'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly trail: Pick<MessageTrail, 'note'>;
  /** Called for each mail that will not be sent. */
  readonly onGivenUp: () => void;
}): Promise<number> {
  const { storage, clock, logger, trail } = deps;
  const now = clock.now();
  const count = await deleteInBatches(async (limit) => {
    const addresses = await storage.logTransaction(({ ownerNotices }) =>
      ownerNotices.giveUp(now - GIVEN_UP_AFTER, limit),
    );
    for (const address of addresses) {
      deps.onGivenUp();
      const details = { what: 'owner-notice', outcome: 'given-up' };
      trail.note({ event: 'not-sent', medium: 'email', address, details });
    }
    return addresses.length;
  });
  await deleteInBatches((limit) =>
    storage.logTransaction(({ ownerNotices }) =>
      ownerNotices.forgetMails(now - ROOM.within, limit),
    ),
  );
  if (count > 0) logger.warn({ count }, 'Gave up telling owners of addresses what has changed');
  return count;
}
