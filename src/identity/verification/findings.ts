/** What can be wrong with an association or its lookup keys, in the order of being told. */
export const FAULTS = [
  'unreadable',
  'different',
  'unsigned',
  'unindexed',
  'misindexed',
  'orphaned',
] as const;
export type Fault = (typeof FAULTS)[number];

/** So many ids of each kind are told. */
const EXAMPLES = 5;

/** How often there is a fault, and where. */
export interface Finding {
  readonly count: number;
  /** The first ids of associations; nothing personal is in these. */
  readonly examples: readonly number[];
}

/** Counts faults, however many there are, in little memory. */
export class Findings {
  readonly #found = new Map<Fault, { count: number; examples: number[] }>();

  add(fault: Fault, id: number): void {
    const found = this.#found.get(fault) ?? { count: 0, examples: [] };
    found.count++;
    if (found.examples.length < EXAMPLES) found.examples.push(id);
    this.#found.set(fault, found);
  }

  of(fault: Fault): Finding | undefined {
    return this.#found.get(fault);
  }
}
