/** A number is kept in the upper 28 bits of an entry, its day in the others. */
const DAY_BITS = 0xf;
/** Days are told apart up to so many less one. */
const DAYS_TOLD = 15;
const ROOM = 4 / 3;
const GROWTH = 1.5;

/** As a table keeps a number: without its lowest 4 bits. */
const numberIn = (entry: number) => (entry & ~DAY_BITS) >>> 0;
/** From 1, so that no entry is 0: that is a free place. */
const dayBits = (day: number) => (day % DAYS_TOLD) + 1;

const ageOf = (entry: number, day: number) =>
  (dayBits(day) - (entry & DAY_BITS) + DAYS_TOLD) % DAYS_TOLD;

/**
 * Numbers, of which the upper 28 bits count, each with the day it was last noted, in one block of memory of 5 to 8 bytes
 * each: to find or note one takes the same time however many there are. The numbers must be spread over all 32 bits. They
 * come out nearly in order: whoever notes many in order makes room for them first, or they crowd at one end.
 */
export class DayTable {
  #entries: Uint32Array;
  #size = 0;

  /** @param expected so many numbers have room */
  constructor(expected = 0) {
    this.#entries = new Uint32Array(Math.ceil((expected + 1) * ROOM));
  }

  get size(): number {
    return this.#size;
  }

  get bytes(): number {
    return this.#entries.byteLength;
  }

  /** Makes room for so many numbers in all. */
  reserve(count: number): void {
    const before = this.#entries;
    if (count * ROOM <= before.length) return;
    this.#entries = new Uint32Array(Math.ceil(Math.max(count * ROOM, before.length * GROWTH)));
    for (const entry of before) if (entry !== 0) this.#entries[this.#placeOf(entry)] = entry;
  }

  /** Whether the number is there. */
  has(number: number): boolean {
    return this.#entries[this.#placeOf(number)] !== 0;
  }

  /** Notes the number for that day. */
  note(number: number, day: number): void {
    this.reserve(this.#size + 1);
    const place = this.#placeOf(number);
    if (this.#entries[place] === 0) this.#size++;
    this.#entries[place] = numberIn(number) | dayBits(day);
  }

  /** Each number with how many days before that one it was noted, as far as days are told apart. */
  *ages(day: number): Generator<[number: number, age: number]> {
    for (const entry of this.#entries) if (entry !== 0) yield [numberIn(entry), ageOf(entry, day)];
  }

  /** How many were noted on that day, how many the day before, and so on. */
  countByAge(day: number): number[] {
    const counts = new Array<number>(DAYS_TOLD).fill(0);
    for (const [, age] of this.ages(day)) counts[age] = (counts[age] ?? 0) + 1;
    return counts;
  }

  forEach(work: (number: number) => void): void {
    for (const entry of this.#entries) if (entry !== 0) work(numberIn(entry));
  }

  /** Where the number is, or would be: at its share of the table, or behind those that took its place. */
  #placeOf(number: number): number {
    const entries = this.#entries;
    const wanted = numberIn(number);
    let place = Math.floor((wanted / 2 ** 32) * entries.length);
    for (let entry = entries[place]; entry !== 0; entry = entries[place]) {
      if (entry !== undefined && numberIn(entry) === wanted) return place;
      if (++place === entries.length) place = 0;
    }
    return place;
  }
}
