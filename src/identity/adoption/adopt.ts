import { countContested } from './contested.ts';
import type { AdoptionDependencies } from './dependencies.ts';
import { applyLog } from './log.ts';
import { deleteOrphanedKeys, indexAssociations, rehashKeys } from './lookup-keys.ts';
import { renameOwnRows } from './own-name.ts';
import { respell } from './respelling.ts';

/** Each time they are looked for among all. */
const SESSIONS_AT_ONCE = 2000;

/**
 * Catches up, at start, with what Sydent and earlier versions left in the database: at the first start
 * everything, later what Sydent did while it ran in this server's place. Every step goes on where it was
 * interrupted, and costs next to nothing when there is nothing to do. Rejects with the reason of the
 * progress's signal when the server is to stop.
 */
export async function adoptSydentData(deps: AdoptionDependencies): Promise<void> {
  await rehashKeys(deps);
  const sessions = await adoptSessions(deps);
  const lookupKeys = await indexAssociations(deps);
  const respelt = await respell(deps);
  const renamed = await renameOwnRows(deps);
  const logEntries = await applyLog(deps);
  if (lookupKeys + logEntries > 0) await deleteOrphanedKeys(deps);
  if (sessions + lookupKeys + respelt + logEntries + renamed > 0) {
    deps.logger.info(
      { sessions, lookupKeys, respelt, logEntries, renamed },
      'Took over what Sydent or an earlier version wrote to the database',
    );
  }
  const contested = await countContested(deps);
  if (contested > 0) {
    deps.logger.warn(
      { count: contested },
      `${contested} email addresses are bound in several spellings, such as A@example.org and a@example.org, to different users: of each only the newest binding counts, for every spelling. One that is not the rightful one is corrected by binding the address anew`,
    );
  }
}

async function adoptSessions({ storage, clock, progress }: AdoptionDependencies): Promise<number> {
  const { adoption } = storage.stores;
  const task = await progress.begin('Taking over validation sessions', () =>
    adoption.countSessionsWithoutExtras(),
  );
  let count = 0;
  for (;;) {
    // By turns, as several nodes may start at once.
    const adopted = await storage.logTransaction(async (stores) => {
      const sessions = await stores.adoption.sessionsWithoutExtras(SESSIONS_AT_ONCE);
      await stores.adoption.adoptSessions(sessions, clock.now());
      return sessions.length;
    });
    count += adopted;
    await task.advance(adopted);
    if (adopted < SESSIONS_AT_ONCE) break;
  }
  task.end();
  return count;
}
