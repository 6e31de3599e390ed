/** What the clients know: what was acknowledged, and what was answered how often. */
export interface Entry {
  /** Who is bound; undefined: nobody. */
  mxid: string | undefined;
  /** False from when something is asked for until it is acknowledged: till then nobody knows. */
  certain: boolean;
  version: number;
  /** Whether any binding of it was acknowledged. */
  bound: boolean;
  /** The token of an invitation that was acknowledged before its binding was asked for. */
  invitation?: string;
}

interface Count {
  count: number;
  /** Milliseconds. */
  slowest: number;
}

export interface Ledger {
  readonly entries: Map<string, Entry>;
  /** Access tokens that are valid. */
  readonly tokens: Set<string>;
  /** Addresses to which a mail was acknowledged. */
  readonly mailed: Set<string>;
  readonly problems: string[];
  /** Answers by what was asked and the status. */
  readonly answers: Map<string, Count>;
  note(asked: string, outcome: string, took: number): void;
  problem(text: string): void;
}

const MOST_PROBLEMS = 50;

export function createLedger(): Ledger {
  const answers = new Map<string, Count>();
  const problems: string[] = [];
  return {
    entries: new Map(),
    tokens: new Set(),
    mailed: new Set(),
    problems,
    answers,
    note(asked, outcome, took) {
      const name = `${asked} ${outcome}`;
      const { count, slowest } = answers.get(name) ?? { count: 0, slowest: 0 };
      answers.set(name, { count: count + 1, slowest: Math.max(slowest, took) });
    },
    problem(text) {
      if (problems.length < MOST_PROBLEMS) problems.push(text);
    },
  };
}
