import type { Clock } from '../../platform/clock.ts';
import { createFingerprint, FINGERPRINT_KEY_BYTES } from '../../platform/fingerprint.ts';
import type { Random } from '../../platform/random.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';

/**
 * What accounts asked in the last 7 days, so that asking it again costs nothing. Of each address a fingerprint of 28
 * bits is kept, under a key that is made anew in each process, and nothing else: never written anywhere. Of an account
 * with n addresses an address that it never asked passes for one that it did once in 2^28 / n times: once in 27,000 at
 * 10,000 addresses.
 */
export interface AskedAddresses {
  /**
   * How many of the addresses, in whatever form they are asked, the account asks for the first time in 7 days; what
   * is asked twice at once counts once.
   */
  compare(account: string, addresses: readonly string[]): Promise<Comparison>;
  /** Bytes kept for all accounts, as they are counted against the memory there is. */
  readonly bytes: number;
}

export interface Comparison {
  readonly fresh: number;
  /** Notes that the account asked all of them now: to be called when it may. */
  remember(): void;
}

export interface AskedAddressesDependencies {
  readonly clock: Clock;
  readonly random: Random;
  /** Bytes; beyond it the account that asked longest ago is forgotten. */
  readonly memory?: number;
  /** Addresses of one account; beyond it those that it asked longest ago are forgotten. */
  readonly perAccount?: number;
}

const DAY = 24 * 60 * 60 * 1000;
const DAYS = 7;
const MEMORY = 16 * 1024 * 1024;
/** The address books of two of the size that one request can ask for, nearly. */
const PER_ACCOUNT = 16_384;
/** What an account costs beside its addresses, at most. */
const OVERHEAD = 640;
const BATCH = 1_000;

/** An address is a number: its fingerprint in the upper 28 bits, the day it was asked in the others. */
const DAY_BITS = 0xf;
const fingerprintOf = (entry: number) => (entry & ~DAY_BITS) >>> 0;

interface Book {
  /** In order, each fingerprint once. */
  readonly entries: Uint32Array;
  /** The day of its last change: so much later all that is in it is too old. */
  readonly day: number;
}

const NONE = new Uint32Array(0);
const sizeOf = ({ entries }: Book) => OVERHEAD + entries.byteLength;

/** The first place from that one on whose entry has this fingerprint or a greater one: near ones are found fast. */
function placeOf(fingerprint: number, entries: Uint32Array, from: number): number {
  let step = 1;
  let low = from;
  while ((entries[low + step - 1] ?? fingerprint) < fingerprint) {
    low += step;
    step *= 2;
  }
  let high = Math.min(low + step - 1, entries.length);
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((entries[middle] ?? 0) < fingerprint) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Calls for the place of each fingerprint that is in the book; those that are not. */
function match(
  fingerprints: Uint32Array,
  entries: Uint32Array,
  found: (entry: number, place: number) => void,
): Uint32Array {
  let place = 0;
  return fingerprints.filter((fingerprint) => {
    place = placeOf(fingerprint, entries, place);
    const entry = entries[place];
    if (entry === undefined || fingerprintOf(entry) !== fingerprint) return true;
    found(entry, place);
    return false;
  });
}

/** Both in order, the added ones with that day. */
function merge(entries: Uint32Array, added: Uint32Array, day: number): Uint32Array {
  const both = new Uint32Array(entries.length + added.length);
  let [from, to] = [0, 0];
  for (const fingerprint of added) {
    for (let entry = entries[from]; entry !== undefined && entry < fingerprint; ) {
      both[to++] = entry;
      entry = entries[++from];
    }
    both[to++] = fingerprint | day;
  }
  both.set(entries.subarray(from), to);
  return both;
}

export function createAskedAddresses(deps: AskedAddressesDependencies): AskedAddresses {
  const { clock, random, memory = MEMORY, perAccount = PER_ACCOUNT } = deps;
  const fingerprint = createFingerprint(random.bytes(FINGERPRINT_KEY_BYTES));
  // In the order of use: a Map iterates in the order of insertion.
  const books = new Map<string, Book>();
  let bytes = 0;

  const today = () => Math.floor(clock.now() / DAY);
  const ageOf = (entry: number, day: number) => (day - entry) & DAY_BITS;

  function forget(account: string): void {
    const book = books.get(account);
    if (book === undefined) return;
    books.delete(account);
    bytes -= sizeOf(book);
  }

  function keep(account: string, book: Book): void {
    forget(account);
    books.set(account, book);
    bytes += sizeOf(book);
    for (const [oldest, { day }] of books) {
      if (bytes <= memory && book.day - day <= DAYS) return;
      forget(oldest);
    }
  }

  /** What the account asked in the last days. Looked through once a day, so that no day passes for a later one. */
  function recent(account: string, day: number): Uint32Array {
    const book = books.get(account);
    if (book === undefined || day - book.day > DAYS) return NONE;
    if (book.day === day) return book.entries;
    return book.entries.filter((entry) => ageOf(entry, day) <= DAYS);
  }

  /** Not too many: the oldest go, and some more, so that it is not looked through for each that is added. */
  function capped(entries: Uint32Array, day: number): Uint32Array {
    if (entries.length <= perAccount) return entries;
    let surplus = entries.length - perAccount + Math.floor(perAccount / 8);
    const ofAge = new Uint32Array(DAY_BITS + 1);
    for (const entry of entries) {
      const own = ageOf(entry, day);
      ofAge[own] = (ofAge[own] ?? 0) + 1;
    }
    // All that are older than that go, and so many of that age.
    let age = DAY_BITS;
    for (; surplus > (ofAge[age] ?? 0); age--) surplus -= ofAge[age] ?? 0;
    const kept = new Uint32Array(entries.length);
    let length = 0;
    for (const entry of entries) {
      const own = ageOf(entry, day);
      if (own < age || (own === age && surplus-- <= 0)) kept[length++] = entry;
    }
    return kept.slice(0, length);
  }

  /** In order, each once. */
  async function fingerprintsOf(addresses: readonly string[]): Promise<Uint32Array> {
    const all = new Uint32Array(addresses.length);
    for (const [index, address] of addresses.entries()) {
      if (index % BATCH === BATCH - 1) await yieldToEventLoop();
      all[index] = fingerprintOf(fingerprint(address));
    }
    all.sort();
    return all.filter((each, index) => each !== all[index - 1]);
  }

  return {
    async compare(account, addresses) {
      const asked = await fingerprintsOf(addresses);
      return {
        fresh: match(asked, recent(account, today()), () => {}).length,
        remember() {
          const day = today();
          const entries = recent(account, day);
          const added = match(asked, entries, (entry, place) => {
            entries[place] = fingerprintOf(entry) | (day & DAY_BITS);
          });
          const all = added.length === 0 ? entries : merge(entries, added, day & DAY_BITS);
          if (all.length > 0) keep(account, { entries: capped(all, day), day });
        },
      };
    },
    get bytes() {
      return bytes;
    },
  };
}
