import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { createNoticeDelivery } from '../homeservers/onbind/delivery.ts';
import {
  type Dispatcher,
  type DispatcherTimings,
  startDispatcher,
} from '../homeservers/onbind/dispatcher.ts';
import { dateTokens } from '../identity/adoption/tokens.ts';
import { removeTombstones } from '../identity/erasure/erasure.ts';
import { forgetEndedBlocks } from '../identity/limits/blocks.ts';
import { reportCounts } from '../identity/messages/delivery-reports.ts';
import { deleteOldTrail } from '../identity/operators/trail.ts';
import {
  giveUpOldNotices,
  type OwnerMailing,
  startOwnerMailing,
} from '../identity/owner-notices/mailing.ts';
import { deleteOldOwnerSessions } from '../identity/owners/owners.ts';
import { repeat } from '../platform/repeat.ts';
import { logFailure } from '../platform/unavailable.ts';
import { pruneLog } from '../replication/pruning.ts';
import type { Closing } from './closing.ts';
import type { Infrastructure } from './infrastructure.ts';
import { createPepperRotation } from './pepper-rotation.ts';
import type { Services } from './services.ts';

const CLEANUP_INTERVAL = 10 * 60 * 1000;
/** As often what other processes began on the pepper is seen, and what they left undone is taken over. */
const ROTATION_INTERVAL = 1000;
/** As soon somebody is let through whom an operator wants to. */
const LIMITS_INTERVAL = 2000;
const PRUNING_INTERVAL = 60 * 60 * 1000;
/** What was erased is to be gone from the log soon after the last peer has taken its deletion. */
const TOMBSTONE_INTERVAL = 10 * 1000;
const RENEWAL_INTERVAL = 60 * 60 * 1000;
/** So long tokens of operators that have ended are listed. */
const ENDED_TOKENS_KEPT = 30 * 24 * 60 * 60 * 1000;
/** As much of the history a kill can lose. */
const HISTORY_INTERVAL = 30 * 1000;
/** Once an hour it writes something. */
const STOCK_INTERVAL = 5 * 60 * 1000;
const COUNTING_INTERVAL = 6 * 60 * 60 * 1000;

/** Does what nobody waits for: a failure is logged, unless what it needs is away, which is told once for all. */
export async function inBackground(logger: Logger, what: string, work: () => Promise<void>) {
  try {
    await work();
  } catch (error) {
    logFailure(logger, error, `${what} failed`);
  }
}

const repeater =
  (logger: Logger, closing: Closing) =>
  (interval: number, what: string, work: () => Promise<void>) => {
    const repetition = repeat(interval, () => inBackground(logger, what, work));
    closing.defer(what, () => repetition.stop());
  };

/**
 * Starts what each process does for itself as long as it runs.
 * @param closing stops it again
 */
export function startOwnBackground(
  { logger, history }: Infrastructure,
  { blocks, homeserverAccounts, limitHits, networkNames }: Services,
  closing: Closing,
): void {
  const again = repeater(logger, closing);
  again(RENEWAL_INTERVAL, 'Renewing the keys of the log', networkNames.renew);
  again(LIMITS_INTERVAL, 'Telling who meets limits', limitHits.exchange);
  again(HISTORY_INTERVAL, 'Writing the history', history.write);
  again(LIMITS_INTERVAL, 'Looking who is kept out', blocks.refresh);
  again(COUNTING_INTERVAL, 'Counting accounts', homeserverAccounts.count);
  closing.defer('Counting accounts', async () => homeserverAccounts.stop());
}

/**
 * Starts what one process does for all.
 * @param closing stops it again
 * @returns who tells homeservers of bindings, and owners of addresses where they are to be told
 */
export function startBackground(
  config: Config,
  infrastructure: Infrastructure,
  services: Services,
  closing: Closing,
  timings: Partial<DispatcherTimings> = {},
): { readonly dispatcher: Dispatcher; readonly ownerMailing: OwnerMailing | undefined } {
  const { general, email } = config;
  const { storage, clock, logger, metrics, trail, delivery, history } = infrastructure;
  const { validation, accounts, invitations } = services;
  const again = repeater(logger, closing);

  const rotation = createPepperRotation(config, infrastructure);
  closing.defer('Rotating the pepper of lookups', rotation.stop);
  again(ROTATION_INTERVAL, 'Looking after the pepper of lookups', rotation.step);
  const dating = inBackground(logger, 'Dating access tokens', () => dateTokens({ storage, clock }));
  closing.defer('Dating access tokens', () => dating);
  again(PRUNING_INTERVAL, 'Pruning the log', () => pruneLog(storage, clock, logger));
  again(TOMBSTONE_INTERVAL, 'Removing deletions of what was erased', async () => {
    const { tombstoneLifetime } = general;
    const count = await removeTombstones({ storage, clock, tombstoneLifetime });
    if (count === 0) return;
    logger.info({ count }, 'Removed deletions of what was erased');
    await storage.remnants?.clear();
  });
  again(CLEANUP_INTERVAL, 'Deleting what is old', async () => {
    const sessions = await validation.deleteOld();
    const tokens = await accounts.deleteUnused();
    const invites = await invitations.deleteOld();
    const ownerSessions = await deleteOldOwnerSessions(storage, clock);
    const messageEvents = await trail.deleteOld();
    await storage.sharedBuckets?.deleteEmpty();
    const audit = await deleteOldTrail(storage, clock.now() - config.admin.auditKept);
    await forgetEndedBlocks(storage, clock.now());
    await storage.stores.adminTokens.removeEnded(clock.now() - ENDED_TOKENS_KEPT);
    const onGivenUp = () => metrics.message('email', 'owner-notice', 'given-up');
    const ownerNotices = await giveUpOldNotices({ storage, clock, logger, trail, onGivenUp });
    const deleted = {
      ...{ sessions, tokens, invites, ownerSessions, messageEvents, audit, ownerNotices },
    };
    if (Object.values(deleted).some((count) => count > 0)) {
      logger.info(deleted, 'Deleted what was old');
    }
  });

  again(STOCK_INTERVAL, 'Counting what there is', history.takeStock);

  metrics.mailReports(() => reportCounts(storage.stores));
  metrics.ownerNotices(storage.stores.ownerNotices.waiting);
  const { tracing } = infrastructure;
  const deliver = createNoticeDelivery({
    ...infrastructure,
    metrics: metrics.onbind,
    sign: services.notices.sign,
    send: services.homeservers.sendNotice,
    rules: { keepDelivered: !general.deleteTokensOnBind, keyGrace: email.invites.keyGrace },
  });
  const telling = { ...infrastructure, metrics: metrics.onbind };
  const dispatcher = startDispatcher({
    ...telling,
    noticeLifetime: general.noticeLifetime,
    refusedNoticeLifetime: general.refusedNoticeLifetime,
    deliver:
      tracing === undefined
        ? deliver
        : (id) =>
            tracing.root({ name: 'tell a homeserver' }, async (span) => {
              const result = await deliver(id);
              span.tell({ 'cognomen.outcome': result.kind });
              return result;
            }),
    timings,
  });
  closing.defer('Telling homeservers', () => dispatcher.stop());
  const ownerMailing = general.ownerNotices
    ? startOwnerMailing({ ...infrastructure, send: delivery.sendOwnerNotice, timings })
    : undefined;
  closing.defer('Telling owners of addresses', async () => ownerMailing?.stop());
  return { dispatcher, ownerMailing };
}
