import { runIn, type Scope, scopeHere } from '../../platform/tracing/scope.ts';

/** Reads rows by their keys; `keyOf` tells which key a row is of. */
type Read<Row> = (keys: readonly string[]) => Promise<Row[]>;

interface Waiting<Row> {
  readonly keys: readonly string[];
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (reason: unknown) => void;
  readonly scope: Scope | undefined;
}

/** Statements under way at once. */
const MOST_RUNNING = 2;
/** Keys in one statement; who asks for more by themselves gets it. */
const MOST_KEYS = 500;

/**
 * Reads for several who ask at once in one statement: where each costs a round trip, requests share those they would
 * wait for anyway. Whoever comes while there is room is read for at once; the others share the next, which counts as part of
 * the request of the first of them.
 */
export function sharedReads<Row>(read: Read<Row>, keyOf: (row: Row) => string): Read<Row> {
  let waiting: Waiting<Row>[] = [];
  let running = 0;

  /** As many of those that wait, in their order, as one statement takes. */
  function nextGroup(): Waiting<Row>[] {
    let keys = 0;
    const end = waiting.findIndex((each, index) => {
      keys += each.keys.length;
      return index > 0 && keys > MOST_KEYS;
    });
    const group = end < 0 ? waiting : waiting.slice(0, end);
    waiting = end < 0 ? [] : waiting.slice(end);
    return group;
  }

  async function readFor(group: readonly Waiting<Row>[]): Promise<void> {
    try {
      const [first] = group;
      if (first !== undefined && group.length === 1) return first.resolve(await read(first.keys));
      const rows = await read([...new Set(group.flatMap(({ keys }) => keys))]);
      const byKey = Map.groupBy(rows, keyOf);
      for (const { keys, resolve } of group) resolve(keys.flatMap((key) => byKey.get(key) ?? []));
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  async function run(): Promise<void> {
    running++;
    while (waiting.length > 0) {
      const group = nextGroup();
      await runIn(group[0]?.scope, () => readFor(group));
    }
    running--;
  }

  return (keys) =>
    new Promise((resolve, reject) => {
      waiting.push({ keys, resolve, reject, scope: scopeHere() });
      if (running < MOST_RUNNING) void run();
    });
}
