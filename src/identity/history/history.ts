import type { Logger } from 'pino';
import { MEDIA } from '../../model/addresses.ts';
import type { Clock } from '../../platform/clock.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { HistoryRow, Storage } from '../../storage/stores/index.ts';
import type { NotedEvent } from '../messages/message-events.ts';
import type { OldWay } from '../old-ways.ts';

export const HOUR = 60 * 60 * 1000;
/** So many hours are kept: those of a month, and some. */
const KEPT = 35 * 24;

/** What is counted as it happens, by every process. */
const EVENTS = ['asked', 'refused', 'sent', 'not-sent', 'unknown', 'proven'] as const;
const FLOWS: readonly string[] = [
  ...MEDIA.flatMap((medium) => EVENTS.map((event) => `${medium} ${event}`)),
  ...(['v1', 'query_token'] satisfies OldWay[]).map((way) => `calls ${way}`),
];
/** What there is at a moment, looked up once an hour by one process. */
const MOMENTS = [
  ...MEDIA.map((medium) => `${medium} bindings`),
  ...['invitations pending', 'outbox notices', 'outbox age'],
] as const;

export const METRICS = { flows: FLOWS, moments: MOMENTS } as const;

/** How much there was of what, for operators: by the hour, for some weeks. */
export interface History {
  /** Counts it, where it is one of those that are counted. */
  noteEvent(event: Pick<NotedEvent, 'medium' | 'event'>): void;
  noteOldWay(way: OldWay): void;
  /** Writes what was counted since; where the database is away, the next time. */
  write(): Promise<void>;
  /** Writes how much there is, once in an hour for all that do so, and deletes what is past its time. */
  takeStock(): Promise<void>;
}

export interface HistoryDependencies {
  readonly storage: Pick<Storage, 'stores' | 'transaction'>;
  readonly clock: Clock;
  readonly serverName: string;
  readonly logger: Logger;
}

export function createHistory(deps: HistoryDependencies): History {
  const { storage, clock, serverName, logger } = deps;
  /** By hour and metric. Of hours in which nothing could be written no more than are kept. */
  const counted = new Map<string, HistoryRow>();
  const thisHour = () => Math.floor(clock.now() / HOUR);

  function count(metric: string, times: number, hour: number): void {
    const key = `${hour} ${metric}`;
    const before = counted.get(key);
    if (before === undefined && counted.size >= KEPT * FLOWS.length) return;
    counted.set(key, { hour, metric, value: (before?.value ?? 0) + times });
  }

  const note = (metric: string) => {
    if (FLOWS.includes(metric)) count(metric, 1, thisHour());
  };

  return {
    noteEvent: ({ medium, event }) => note(`${medium} ${event}`),
    noteOldWay: (way) => note(`calls ${way}`),

    async write() {
      const rows = [...counted.values()];
      if (rows.length === 0) return;
      counted.clear();
      try {
        await storage.transaction(({ history }) => history.add(rows));
      } catch (error) {
        if (error instanceof UnavailableError) {
          for (const { metric, value, hour } of rows) count(metric, value, hour);
        }
        throw error;
      }
    },

    async takeStock() {
      const hour = thisHour();
      const there = await storage.stores.history.between(hour, hour + 1);
      if (there.some(({ metric }) => metric === 'invitations pending')) return;
      const begun = clock.monotonic();
      const stock = await storage.stores.overview.stock(serverName);
      const bindings = MEDIA.map((medium) => {
        const one = stock.associations.find((of) => of.medium === medium);
        return [`${medium} bindings`, (one?.own ?? 0) + (one?.ofPeers ?? 0)] as const;
      });
      const { oldest, notices } = stock.owed;
      const rows = [
        ...bindings,
        ['invitations pending', stock.invitations.pending] as const,
        ['outbox notices', notices] as const,
        ['outbox age', oldest === undefined ? 0 : Math.max(0, clock.now() - oldest)] as const,
      ].map(([metric, value]) => ({ hour, metric, value }));
      await storage.transaction(async ({ history }) => {
        await history.put(rows);
        await history.deleteBefore(hour - KEPT);
      });
      logger.debug({ ms: Math.round(clock.monotonic() - begun) }, 'Counted what there is');
    },
  };
}

/** The hours from the one to the other, in pieces: nobody else is answered while one is read. */
export async function hoursBetween(
  { history }: Pick<Storage['stores'], 'history'>,
  from: number,
  to: number,
): Promise<HistoryRow[]> {
  const PIECE = 48;
  const all: HistoryRow[] = [];
  for (let at = from; at < to; at += PIECE) {
    all.push(...(await history.between(at, Math.min(to, at + PIECE))));
    await yieldToEventLoop();
  }
  return all;
}
