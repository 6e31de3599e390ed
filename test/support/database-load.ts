import pg from 'pg';
import { expect } from 'vitest';
import { get, postJson } from './http.ts';

interface Answered {
  readonly kind: 'bind' | 'lookup';
  readonly status: number;
  readonly errcode: unknown;
  readonly retryAfter: number;
  /** Milliseconds that it took. */
  readonly took: number;
  /** When it came, as `performance.now` has it. */
  readonly at: number;
}

/** Clients that bind and look up without a pause, each one thing at a time. */
export interface DatabaseLoad {
  readonly answers: readonly Answered[];
  /** What was answered to each bind that was answered with 200. */
  readonly acknowledged: ReadonlyMap<string, unknown>;
  untilBound(count: number): Promise<void>;
  /** The next answer from now on that is like that. */
  untilAnswered(is: (answer: Answered) => boolean): Promise<void>;
  end(): Promise<void>;
  /** Each acknowledged bind is found as it was answered, and none is there twice. */
  requireNothingLost(databaseUrl: string): Promise<void>;
}

export function startDatabaseLoad(
  { url, internalUrl }: { readonly url: string; readonly internalUrl: string },
  clients: { readonly binds: number; readonly lookups: number } = { binds: 8, lookups: 4 },
): DatabaseLoad {
  const answers: Answered[] = [];
  const acknowledged = new Map<string, unknown>();
  let next = 0;
  let isOver = false;
  const addressOf = (number: number) => `user${number}@sample.test`;
  const lookUp = (address: string) =>
    get(`${url}/_matrix/identity/api/v1/lookup`, { medium: 'email', address });

  async function ask(kind: Answered['kind'], request: () => ReturnType<typeof get>) {
    const begun = performance.now();
    const { status, headers, json } = await request();
    const at = performance.now();
    const retryAfter = Number(headers.get('retry-after'));
    answers.push({ kind, status, errcode: json?.errcode, retryAfter, took: at - begun, at });
    return { status, json };
  }

  async function bind(): Promise<void> {
    const number = next++;
    const address = addressOf(number);
    const { status, json } = await ask('bind', () =>
      postJson(`${internalUrl}/_matrix/identity/internal/bind`, {
        address,
        medium: 'email',
        mxid: `@user${number}:sample.test`,
      }),
    );
    if (status === 200) acknowledged.set(address, json);
  }

  const repeat = async (work: () => Promise<unknown>) => {
    while (!isOver) await work();
  };
  const running = [
    ...Array.from({ length: clients.binds }, () => repeat(bind)),
    ...Array.from({ length: clients.lookups }, () =>
      repeat(() => ask('lookup', () => lookUp(addressOf(Math.floor(next / 2))))),
    ),
  ];
  const until = async (is: () => boolean) => {
    while (!is()) await new Promise((resolve) => setImmediate(resolve));
  };

  return {
    answers,
    acknowledged,
    untilBound: (count) => until(() => acknowledged.size >= count),
    async untilAnswered(is) {
      let seen = answers.length;
      await until(() => {
        while (seen < answers.length) {
          const answer = answers[seen++];
          if (answer !== undefined && is(answer)) return true;
        }
        return false;
      });
    },
    async end() {
      isOver = true;
      await Promise.all(running);
    },
    async requireNothingLost(databaseUrl) {
      for (const [address, signed] of acknowledged) {
        expect((await lookUp(address)).json).toEqual(signed);
      }
      const client = new pg.Client(databaseUrl);
      await client.connect();
      try {
        const { rows } = await client.query(
          'select address from local_threepid_associations group by address having count(*) > 1',
        );
        expect(rows).toEqual([]);
      } finally {
        await client.end();
      }
    },
  };
}
