import type { Clock } from '../../platform/clock.ts';
import { createFingerprint, FINGERPRINT_KEY_BYTES } from '../../platform/fingerprint.ts';
import type { Random } from '../../platform/random.ts';
import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import { DayTable } from './day-table.ts';

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

interface Book {
  /** The fingerprints of its addresses, each with the day it was last asked. */
  readonly asked: DayTable;
  /** The day of its last change: so much later all that is in it is too old. */
  readonly day: number;
}

const sizeOf = ({ asked }: Book) => OVERHEAD + asked.bytes;

export function createAskedAddresses(deps: AskedAddressesDependencies): AskedAddresses {
  const { clock, random, memory = MEMORY, perAccount = PER_ACCOUNT } = deps;
  const fingerprint = createFingerprint(random.bytes(FINGERPRINT_KEY_BYTES));
  // In the order of use: a Map iterates in the order of insertion.
  const books = new Map<string, Book>();
  let bytes = 0;

  const today = () => Math.floor(clock.monotonic() / DAY);

  function forget(account: string): void {
    const book = books.get(account);
    if (book === undefined) return;
    books.delete(account);
    bytes -= sizeOf(book);
  }

  function keep(account: string, book: Book): void {
    books.set(account, book);
    bytes += sizeOf(book);
    for (const [oldest, { day }] of books) {
      if (bytes <= memory && book.day - day <= DAYS) return;
      forget(oldest);
    }
  }

  /** What was asked less than so many days before that one, and so many of those asked so many days ago. */
  function since({ asked }: Book, day: number, days: number, most = Infinity): DayTable {
    const ofAge = asked.countByAge(day);
    const oldest = Math.min(most, ofAge[days] ?? 0);
    const kept = new DayTable(ofAge.slice(0, days).reduce((sum, count) => sum + count, oldest));
    // Out of all parts of the table alike, as it must stay spread.
    let share = 0;
    for (const [number, age] of asked.ages(day)) {
      if (age === days) share += oldest / (ofAge[days] ?? 1);
      if (age < days || (age === days && share >= 1)) kept.note(number, day - age);
      if (age === days && share >= 1) share--;
    }
    return kept;
  }

  /** What the account asked in the last days. Looked through once a day, so that no day passes for a later one. */
  function recent(account: string, day: number): DayTable | undefined {
    const book = books.get(account);
    if (book === undefined || day - book.day > DAYS) return undefined;
    return book.day === day ? book.asked : since(book, day, DAYS);
  }

  /** Not too many: the oldest go, and some more, so that it is not looked through for each that is added. */
  function capped(book: Book): Book {
    const { asked, day } = book;
    if (asked.size <= perAccount) return book;
    let room = perAccount - Math.floor(perAccount / 8);
    const ofAge = asked.countByAge(day);
    let age = 0;
    for (; room > (ofAge[age] ?? 0); age++) room -= ofAge[age] ?? 0;
    return { asked: since(book, day, age, room), day };
  }

  /** Their fingerprints, each once. */
  async function fingerprintsOf(addresses: readonly string[]): Promise<DayTable> {
    const all = new DayTable(addresses.length);
    for (const [index, address] of addresses.entries()) {
      if (index % BATCH === BATCH - 1) await yieldToEventLoop();
      all.note(fingerprint(address), 0);
    }
    return all;
  }

  return {
    async compare(account, addresses) {
      const asked = await fingerprintsOf(addresses);
      const known = recent(account, today());
      let fresh = asked.size;
      if (known !== undefined) {
        asked.forEach((each) => {
          if (known.has(each)) fresh--;
        });
      }
      return {
        fresh,
        remember() {
          const day = today();
          const all = recent(account, day) ?? new DayTable(asked.size);
          forget(account);
          all.reserve(all.size + fresh);
          asked.forEach((each) => {
            all.note(each, day);
          });
          if (all.size > 0) keep(account, capped({ asked: all, day }));
        },
      };
    },
    get bytes() {
      return bytes;
    },
  };
}
