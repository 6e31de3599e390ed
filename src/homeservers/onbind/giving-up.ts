import { LONGEST_WAIT } from '../../model/notice-waits.ts';
import { backoff } from '../../platform/backoff.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import type { Notice } from '../../storage/stores/index.ts';
import type { DispatcherDependencies } from './dispatcher.ts';

/** Notes that a homeserver refused these: each is offered again, later each time, or given up. */
export async function noteRefusals(
  serverName: string,
  notices: readonly Notice[],
  deps: DispatcherDependencies,
): Promise<void> {
  if (notices.length === 0) return;
  const { storage, clock, random, logger, metrics } = deps;
  const now = clock.now();
  const isOver = ({ refusedAt = now }: Notice) => refusedAt + deps.refusedNoticeLifetime <= now;
  await storage.logTransaction(async ({ onbindNotices }) => {
    await onbindNotices.remove(notices.filter(isOver).map(({ id }) => id));
    for (const { id, attempts } of notices.filter((notice) => !isOver(notice))) {
      await onbindNotices.refuse(
        id,
        attempts + 1,
        now + backoff(attempts + 1, { random, longest: LONGEST_WAIT }),
        now,
      );
    }
  });
  const count = notices.filter(isOver).length;
  if (count === 0) return;
  metrics.notice('given-up', count);
  logger.warn(
    { homeserver: serverName, count },
    'Gave up notices that a homeserver refused for too long; the invitations stay for the next bind',
  );
}

/** What is too old goes, once the homeserver has failed again. */
export async function giveUpOld(serverName: string, deps: DispatcherDependencies): Promise<void> {
  const { storage, clock, logger, metrics } = deps;
  const { onbindNotices } = storage.stores;
  const before = clock.now() - deps.noticeLifetime;
  if (((await onbindNotices.oldest(serverName)) ?? Number.POSITIVE_INFINITY) > before) return;
  const count = await deleteInBatches((limit) =>
    storage.logTransaction((stores) =>
      stores.onbindNotices.removeCreatedBefore(serverName, before, limit),
    ),
  );
  metrics.notice('given-up', count);
  logger.warn(
    { homeserver: serverName, count },
    'Gave up telling a homeserver of bindings; the invitations stay for the next bind',
  );
}
