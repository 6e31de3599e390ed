import {
  type BucketAnswer,
  type BucketAsk,
  type BucketStore,
  createMemoryBuckets,
  type Measures,
} from './bucket-store.ts';
import {
  type Ask,
  type Buckets,
  measuresOf,
  UNLIMITED,
  waitFor,
  waitForNothing,
} from './buckets.ts';
import type { Clock } from './clock.ts';
import { HeldBucket, type Told, type Waiter } from './held-bucket.ts';
import { repeat } from './repeat.ts';
import { outside } from './tracing/scope.ts';

/** A process takes that part of a bucket at once, and has it for what is asked of it next. */
const PORTION = 1 / 16;
/** Questions to the store under way at once: what comes meanwhile shares the next. */
const MOST_RUNNING = 2;
/** Buckets in one question. */
const MOST_ASKED = 500;
/** Buckets that this process remembers; beyond that those used longest ago go, with what is left of their portions. */
const REMEMBERED = 100_000;
/** Milliseconds that a store which takes no writes is left alone. */
const READ_ONLY = 1000;
/** Milliseconds after which a portion that nobody uses goes back. */
const IDLE = 10_000;

/** Of one that may be filled beyond what everybody may fill it up to, nothing is kept for everybody. */
function portionOf({ limit }: Ask, { capacity, ceiling }: Measures): number {
  const isBeyond = limit.ceiling !== undefined && capacity >= ceiling;
  const portion = Math.floor(capacity * PORTION);
  return isBeyond || portion < 2 || capacity >= UNLIMITED ? 0 : portion;
}

/** What nobody has to ask for: it lets all through, or nothing. */
const isDecided = ({ limit }: Ask, { interval }: Measures) =>
  interval === 0 || waitForNothing(limit) > 0;

const idOf = ({ bucket, key }: Ask) => `${bucket}\n${key}`;

const isRefused = (asks: readonly Ask[], waits: readonly number[]) =>
  asks.some(({ refuses }, index) => refuses && waits[index] !== 0);

/**
 * Buckets in a store that several processes share. Of a large bucket a process takes a portion at a time and spends it by
 * itself; of a small one just what is asked for. What it has flows off as it does in the store, so that all together
 * never let more through than one would; what one has and does not use, the others lack until it is given back.
 */
export function createPortions(store: BucketStore, clock: Clock): Buckets {
  /** In the order of use. */
  const all = new Map<string, HeldBucket>();
  const wanting = new Set<HeldBucket>();
  const running = new Set<Promise<void>>();
  let isScheduled = false;
  /** For as long as the store takes no writes. */
  const own = createMemoryBuckets(clock);
  let readOnlyUntil = Number.NEGATIVE_INFINITY;

  async function answersTo(asks: readonly BucketAsk[]): Promise<readonly BucketAnswer[]> {
    if (clock.monotonic() < readOnlyUntil) return own.ask(asks);
    const answers = await store.ask(asks);
    if (answers !== undefined) return answers;
    readOnlyUntil = clock.monotonic() + READ_ONLY;
    return own.ask(asks);
  }

  function heldOf(ask: Ask, measures: Measures): HeldBucket {
    const id = idOf(ask);
    const { bucket, key } = ask;
    const held = all.get(id) ?? new HeldBucket({ bucket, key }, measures, clock);
    all.delete(id);
    all.set(id, held);
    held.usedAt = clock.monotonic();
    held.measures = measures;
    for (const [oldest, other] of all) {
      if (all.size <= REMEMBERED || !other.isIdle) break;
      all.delete(oldest);
    }
    return held;
  }

  function want(held: HeldBucket): void {
    wanting.add(held);
    if (isScheduled) return;
    isScheduled = true;
    // So that what is asked for together goes together.
    queueMicrotask(() => {
      isScheduled = false;
      if (running.size < MOST_RUNNING) start();
    });
  }

  function start(): void {
    // For all who ask, whoever was first.
    const runs = outside(run).finally(() => running.delete(runs));
    running.add(runs);
  }

  async function run(): Promise<void> {
    for (;;) {
      const group = [...wanting].filter(({ isAsked }) => !isAsked).slice(0, MOST_ASKED);
      if (group.length === 0) return;
      await askFor(group);
    }
  }

  async function askFor(group: readonly HeldBucket[]): Promise<void> {
    const questions = group.map(questionOf);
    try {
      const at = clock.monotonic();
      const answers = await answersTo(questions.map(({ ask }) => ask));
      for (const [index, { held, waiters }] of questions.entries()) {
        const answer = answers[index];
        held.isAsked = false;
        if (answer !== undefined) serve(held, waiters, { ...answer, at });
      }
    } catch (error) {
      // What was to be put in or given back is lost with it: a store that is away lets nobody through.
      for (const { held, waiters } of questions) {
        held.isAsked = false;
        for (const { reject } of waiters) reject(error);
      }
    }
    for (const held of group) if (!held.isIdle) want(held);
  }

  /** What to ask for a bucket: for those who wait for it with the same capacity as the first. */
  function questionOf(held: HeldBucket) {
    const { back, put, credit, name } = held;
    const measures = held.waiting[0]?.measures ?? held.measures;
    const isServed = (waiter: Waiter) => waiter.measures.capacity === measures.capacity;
    const waiters = held.waiting.filter(isServed);
    const takers = waiters.filter(({ looksOnly }) => !looksOnly);
    const ask: BucketAsk = {
      ...{ ...name, measures, back, put, least: 0, need: 0, portion: 0 },
      ...(takers.length > 0 && {
        least: Math.min(...takers.map(({ units }) => units)) - credit,
        need: takers.reduce((sum, { units }) => sum + units, 0) - credit,
        portion: Math.max(...takers.map(({ portion }) => portion)),
      }),
    };
    wanting.delete(held);
    held.waiting = held.waiting.filter((waiter) => !isServed(waiter));
    Object.assign(held, { back: 0, put: 0, isAsked: true });
    return { held, waiters, ask };
  }

  function serve(held: HeldBucket, waiters: readonly Waiter[], told: Told): void {
    const short: Waiter[] = [];
    held.hear(told, (spend) => {
      for (const waiter of waiters) {
        if (!waiter.looksOnly && spend(waiter.units)) waiter.resolve(0);
        else short.push(waiter);
      }
    });
    const level = told.level - held.credit;
    for (const { units, measures, looksOnly, resolve } of short) {
      const wait = waitFor(units, { ...told, level }, measures);
      resolve(looksOnly ? wait : Math.max(1, wait));
    }
    // The last of it is not for this process alone.
    if (short.some(({ looksOnly }) => !looksOnly)) held.returnCredit();
  }

  /** 0 when it is taken, or what to wait; asks the store only where that is not known. */
  function acquire(ask: Ask, looksOnly: boolean): number | Promise<number> {
    const measures = measuresOf(ask.limit);
    if (isDecided(ask, measures)) return waitForNothing(ask.limit);
    const held = heldOf(ask, measures);
    const units = Math.min(ask.units, measures.capacity);
    if (held.waiting.length === 0 && !held.isAsked) {
      if (looksOnly ? held.covers(units) : held.spend(units)) return 0;
    }
    const { known } = held;
    const wait = known && waitFor(units, known, measures);
    if (wait !== undefined && (wait > 0 || looksOnly)) return wait;
    return new Promise((resolve, reject) => {
      const portion = portionOf(ask, measures);
      held.waiting.push({ units, measures, looksOnly, portion, resolve, reject });
      want(held);
    });
  }

  /** What to wait where it is known without asking that there is no room; else 0. */
  function waitKnown(ask: Ask): number {
    const { limit, units } = ask;
    const known = all.get(idOf(ask))?.known;
    return waitForNothing(limit) || (known ? waitFor(units, known, measuresOf(limit)) : 0);
  }

  function giveBack(asks: readonly Ask[]): void {
    for (const ask of asks) {
      const measures = measuresOf(ask.limit);
      if (isDecided(ask, measures)) continue;
      const held = heldOf(ask, measures);
      const units = Math.min(ask.units, measures.capacity);
      const kept = Math.max(0, Math.min(units, portionOf(ask, measures) - held.credit));
      held.keep(kept);
      if (units === kept) continue;
      held.change({ back: units - kept });
      want(held);
    }
  }

  function returnUnused(since: number): void {
    for (const [id, held] of all) {
      if (held.usedAt > since) return;
      held.returnCredit();
      if (held.isIdle) all.delete(id);
      else want(held);
    }
  }
  const returning = repeat(IDLE, async () => returnUnused(clock.monotonic() - IDLE));

  return {
    async take(asks) {
      const known = asks.map(waitKnown);
      if (isRefused(asks, known)) return known;
      const outcomes = await Promise.allSettled(asks.map(async (ask) => acquire(ask, false)));
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      const waits = outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value : 1));
      if (failed !== undefined || isRefused(asks, waits)) {
        giveBack(asks.filter((_, index) => waits[index] === 0));
      }
      if (failed !== undefined) throw failed.reason;
      return waits;
    },
    look: (asks) => Promise.all(asks.map(async (ask) => acquire(ask, true))),
    fill(asks) {
      for (const ask of asks) {
        const measures = measuresOf(ask.limit);
        if (isDecided(ask, measures)) continue;
        const held = heldOf(ask, measures);
        held.change({ put: Math.min(ask.units, measures.capacity) });
        want(held);
      }
    },
    giveBack,
    empty(asks) {
      for (const ask of asks) {
        const measures = measuresOf(ask.limit);
        if (isDecided(ask, measures)) continue;
        const held = heldOf(ask, measures);
        held.empty();
        want(held);
      }
    },
    clear(bucket) {
      for (const [id, held] of all) if (held.name.bucket === bucket && held.isIdle) all.delete(id);
    },
    async stop() {
      await returning.stop();
      returnUnused(Number.POSITIVE_INFINITY);
      while (wanting.size > 0 || running.size > 0) {
        if (running.size < MOST_RUNNING) start();
        await Promise.all(running);
      }
    },
  };
}
