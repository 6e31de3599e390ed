import { createHash } from 'node:crypto';
import type { Logger } from 'pino';
import type { Buckets } from '../../platform/buckets.ts';
import type { Clock } from '../../platform/clock.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import { outside, scopeHere } from '../../platform/tracing/scope.ts';
import { logFailure, UnavailableError } from '../../platform/unavailable.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import type { NewMessageEvent, Storage } from '../../storage/stores/index.ts';
import { type NotedEvent, RULES } from './message-events.ts';

/**
 * What became of each message, for operators who are asked why it did not arrive. It is written after the answer, by and
 * by: what a process was about to write when it was killed is lost, a second's worth at most while the database answers.
 */
export interface MessageTrail {
  /** Takes it down, and returns at once: where there is too much, something is left out, and counted. */
  note(event: NotedEvent): void;
  /** Writes what is left, as the process stops. */
  stop(): Promise<void>;
  /** Deletes what is past its time; how many events that was. */
  deleteOld(): Promise<number>;
}

export interface MessageTrailDependencies {
  readonly storage: Pick<Storage, 'stores' | 'transaction'>;
  readonly clock: Clock;
  /** Of this process: they bound what strangers can have written. */
  readonly buckets: Pick<Buckets, 'take'>;
  readonly logger: Logger;
  /** Milliseconds that events are kept; 0: none is. */
  readonly kept: number;
  /** Called for each event, kept or not. */
  readonly onNoted?: (event: NotedEvent) => void;
  /** Called for events that are left out. */
  readonly onLeftOut: (count: number) => void;
}

const DAY = 24 * 60 * 60 * 1000;
/** Milliseconds between a note and its being written, and after a failure of the database. */
const DELAY = { usual: 250, afterFailure: 5000 };
/** Events of one transaction: on SQLite nobody else is answered meanwhile. */
const BATCH = 50;
/** Events that wait at most: each by itself, and added up. */
const MOST_WAITING = { single: 1000, addedUp: 500 };
/** Events in all: some 300 MB. */
const MOST_IN_ALL = 1_000_000;
/** Rows of refusals a process makes: nothing was charged for them. One client, and all of them. */
const REFUSALS = {
  one: { burst: 20, rateHz: 1 / 60 },
  all: { burst: 1000, rateHz: 0.5 },
};
/** Keys of rows made lately, which may be added to without a charge. */
const REMEMBERED = 2000;

/** Longer texts are of no use: they come from others. */
const MAX_TEXT = 300;
const shown = (value: string | number) =>
  typeof value === 'string' ? value.replaceAll(/\p{Cc}+/gu, ' ').slice(0, MAX_TEXT) : value;

/** The event as it is stored. */
export function newMessageEvent(
  { event, medium, address, mxid, details = {} }: NotedEvent,
  now: number,
): NewMessageEvent {
  const given = Object.entries(details).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, shown(value)] as const],
  );
  const { addsUp, follows = false } = RULES[event];
  const own = { event, medium, address, mxid, details: Object.fromEntries(given) };
  // Neither the request nor the brand is among what events that are added up have in common: of these the first says
  // which it was. Any name is a brand: who makes them up would push all else out of the trail.
  const { brand: _brand, ...common } = own.details;
  const id = scopeHere()?.id;
  const told = id === undefined ? own.details : { ...own.details, request: id };
  const same = addsUp
    ? createHash('sha256')
        .update(JSON.stringify([Math.floor(now / DAY), { ...own, details: common }]))
        .digest('base64url')
        .slice(0, 22)
    : undefined;
  return { ...own, details: told, first: now, last: now, times: 1, same, follows };
}

export function createMessageTrail(deps: MessageTrailDependencies): MessageTrail {
  const { storage, clock, buckets, logger, kept, onLeftOut } = deps;
  const single: NewMessageEvent[] = [];
  const addedUp = new Map<string, NewMessageEvent & { readonly asker: string | undefined }>();
  const charged = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let writing: Promise<void> | undefined;

  function keep(event: NewMessageEvent, asker: string | undefined): void {
    const { same, last } = event;
    if (same === undefined) {
      if (single.length < MOST_WAITING.single) single.push(event);
      else onLeftOut(1);
      return;
    }
    const before = addedUp.get(same);
    if (before !== undefined)
      addedUp.set(same, { ...before, last, times: before.times + event.times });
    else if (addedUp.size < MOST_WAITING.addedUp) addedUp.set(same, { ...event, asker });
    else onLeftOut(1);
  }

  /** Whether a row may be made of it: one that is there already costs no more room. */
  async function mayMakeRow(same: string, asker: string): Promise<boolean> {
    if (charged.has(same)) return true;
    const ask = (bucket: keyof typeof REFUSALS, key: string) =>
      ({ bucket, key, units: 1, limit: REFUSALS[bucket], refuses: true }) as const;
    const waits = await buckets.take([ask('one', asker), ask('all', '')]);
    if (waits.some((wait) => wait > 0)) return false;
    charged.add(same);
    for (const oldest of charged) {
      if (charged.size <= REMEMBERED) break;
      charged.delete(oldest);
    }
    return true;
  }

  async function nextBatch(): Promise<NewMessageEvent[]> {
    const batch = single.splice(0, BATCH);
    for (const [same, { asker, ...event }] of addedUp) {
      if (batch.length >= BATCH) break;
      addedUp.delete(same);
      if (asker === undefined || (await mayMakeRow(same, asker))) batch.push(event);
      else onLeftOut(event.times);
    }
    return batch;
  }

  /** Whether it is written, or never will be. */
  async function write(batch: readonly NewMessageEvent[]): Promise<boolean> {
    try {
      await storage.transaction(({ messageEvents }) => messageEvents.add(batch));
      return true;
    } catch (error) {
      if (error instanceof UnavailableError) return false;
      logFailure(logger, error, 'What became of some messages could not be written');
      onLeftOut(batch.length);
      return true;
    }
  }

  async function writeAll(): Promise<boolean> {
    while (single.length + addedUp.size > 0) {
      const batch = await nextBatch();
      if (batch.length === 0) continue;
      if (!(await write(batch))) {
        for (const event of batch) keep(event, undefined);
        return false;
      }
      await yieldToEventLoop();
    }
    return true;
  }

  function schedule(delay: number): void {
    const run = () => {
      writing = writeAll()
        .catch((error: unknown) => {
          logFailure(logger, error, 'What became of messages could not be written');
          return true;
        })
        .then((done) => {
          timer = undefined;
          if (!done) schedule(DELAY.afterFailure);
          else if (single.length + addedUp.size > 0) schedule(DELAY.usual);
        });
    };
    // For all who note something, whoever was first.
    timer = outside(() => setTimeout(run, delay)).unref();
  }

  return {
    note(event) {
      deps.onNoted?.(event);
      if (kept === 0) return;
      const { mxid, details, event: name } = event;
      const asker = RULES[name].isOpen ? String(details?.['client'] ?? mxid) : undefined;
      keep(newMessageEvent(event, clock.now()), asker);
      if (timer === undefined) schedule(DELAY.usual);
    },

    async stop() {
      clearTimeout(timer);
      await writing;
      clearTimeout(timer);
      await writeAll();
    },

    deleteOld: () => {
      const before = clock.now() - kept;
      return deleteInBatches((limit) =>
        storage.transaction(({ messageEvents }) =>
          messageEvents.deleteOld(kept === 0 ? Infinity : before, MOST_IN_ALL, limit),
        ),
      );
    },
  };
}
