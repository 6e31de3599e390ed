import { type BucketAnswer, type BucketName, type Measures, NO_WAIT } from './bucket-store.ts';
import type { Clock } from './clock.ts';

/** Milliseconds that what the store said of a bucket is good for: it is not asked again of one that is full. */
const GOOD_FOR = 1000;

/** An answer of the store, and when it was asked. */
export interface Told extends BucketAnswer {
  readonly at: number;
}

/** Somebody who waits for the store's answer. */
export interface Waiter {
  readonly units: number;
  readonly measures: Measures;
  readonly looksOnly: boolean;
  /** Units to be had for later, where there are as many. */
  readonly portion: number;
  readonly resolve: (wait: number) => void;
  readonly reject: (error: unknown) => void;
}

/** What this process has of a bucket that it shares, and what it wants of it. */
export class HeldBucket {
  readonly name: BucketName;
  measures: Measures;
  usedAt: number;
  /** For the next question: units to be taken out, and put in. */
  back = 0;
  put = 0;
  /** Whom the next question is for. */
  waiting: Waiter[] = [];
  /** Whether a question is under way. */
  isAsked = false;
  /** Units, as they were at that time. */
  #credit = 0;
  #creditAt = 0;
  /** When all of it is gone in any case. */
  #endsAt = Number.POSITIVE_INFINITY;
  #told: Told | undefined;
  readonly #clock: Clock;

  constructor(name: BucketName, measures: Measures, clock: Clock) {
    this.name = name;
    this.measures = measures;
    this.#clock = clock;
    this.usedAt = clock.monotonic();
  }

  /** Whether nothing is wanted of the store. */
  get isIdle(): boolean {
    return this.back === 0 && this.put === 0 && this.waiting.length === 0 && !this.isAsked;
  }

  /** Units that this process may let through. They flow off as they do in the store, where they are taken already. */
  get credit(): number {
    const now = this.#clock.monotonic();
    const { interval, daily } = this.measures;
    const gone = daily ? 0 : (now - this.#creditAt) / interval;
    this.#credit = now >= this.#endsAt ? 0 : Math.max(0, this.#credit - gone);
    this.#creditAt = now;
    return this.#credit;
  }

  /** Takes units out of the credit, where it has as many. */
  spend(units: number): boolean {
    if (!this.covers(units)) return false;
    this.#credit = Math.max(0, this.#credit - units);
    return true;
  }

  covers(units: number): boolean {
    return (units - this.credit) * this.measures.interval < NO_WAIT;
  }

  keep(units: number): void {
    this.#credit = this.credit + units;
  }

  /** What the store said: what it granted is spent as if it were still the time of the question. */
  hear(told: Told, serve: (spend: (units: number) => boolean) => void): void {
    const { interval, daily } = this.measures;
    let left = this.credit + told.granted;
    serve((units) => {
      if ((units - left) * interval >= NO_WAIT) return false;
      left = Math.max(0, left - units);
      return true;
    });
    this.#credit = left;
    this.#creditAt = told.at;
    this.#endsAt = daily ? told.at + told.resetsIn : Number.POSITIVE_INFINITY;
    this.#told = told;
  }

  /** Units go into the bucket, or out of it, with the next question. */
  change({ put = 0, back = 0 }: { readonly put?: number; readonly back?: number }): void {
    const both = Math.min(this.put + put, this.back + back);
    this.put += put - both;
    this.back += back - both;
    if (this.#told === undefined) return;
    const level = Math.min(this.#told.level + put, this.measures.ceiling) - back;
    this.#told = { ...this.#told, level: Math.max(0, level) };
  }

  /** All goes out of the bucket with the next question, what was to be put in by it included. */
  empty(): void {
    this.#credit = 0;
    this.put = 0;
    this.back = this.measures.ceiling;
    if (this.#told !== undefined) this.#told = { ...this.#told, level: 0 };
  }

  /** All of the credit goes back. */
  returnCredit(): void {
    const { credit } = this;
    if (credit === 0) return;
    this.#credit = 0;
    this.change({ back: credit });
  }

  /**
   * What the store would say now of who is given all that this process has; undefined where it has said nothing lately.
   */
  get known(): BucketAnswer | undefined {
    if (this.#told === undefined) return undefined;
    const { at, level, resetsIn } = this.#told;
    const { interval, daily } = this.measures;
    const passed = this.#clock.monotonic() - at;
    if (passed >= GOOD_FOR || (daily && passed >= resetsIn)) return undefined;
    const flown = Math.max(0, level - (daily ? 0 : passed / interval));
    return { granted: 0, level: flown - this.credit, resetsIn: resetsIn - passed };
  }
}
