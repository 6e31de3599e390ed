/** What is measured, and what every answer must look like. */
import { addressOf, hashOf, mxidOf, PEPPER, SESSION_SECRET, SESSIONS, tokenOf } from './data.ts';
import type { Request } from './processes.ts';

export interface Work {
  readonly name: string;
  /** The share of the bare server's rate that is to be reached, on SQLite and on PostgreSQL. */
  readonly reach?: { readonly sqlite?: number; readonly postgres?: number };
  readonly listener?: 'internal';
  /** Whether a request that was made before is another one: then there are enough for the time. */
  readonly once?: boolean;
  /** Whether `--quick` measures it. */
  readonly quick?: boolean;
  /** @param count of the associations there are; `many`: so many requests at least, where they are made once. */
  requests(count: number, many: number): Request[];
  /** An answer where there are so many, or one of the same length; undefined where they differ. */
  answer?(count: number): object;
}

export const V2 = '/_matrix/identity/v2';
const V1 = '/_matrix/identity/api/v1';
/** As many as there are connections. */
const ACCOUNTS = 16;

const authorization = (index: number) => ({
  authorization: `Bearer ${tokenOf(index % ACCOUNTS)}`,
});
const get = (path: string, headers = {}): Request => ({ method: 'GET', path, headers });
const post = (path: string, body: object, headers = {}): Request => ({
  method: 'POST',
  path,
  headers: { ...headers, 'content-type': 'application/json' },
  body: JSON.stringify(body),
});
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));

/** Numbers of associations all over the table, or, to be missed, beyond it. */
const numberAt = (index: number, count: number, isThere: boolean) =>
  ((index * 7919) % count) + 1 + (isThere ? 0 : count);

/** Half a million hashes in all: no cache holds what is asked. */
const HASHES = 500_000;

function lookup(size: number, isThere: boolean, more: Pick<Work, 'reach' | 'quick'>): Work {
  return {
    ...more,
    name: `lookup of ${size}, ${isThere ? 'found' : 'not found'}`,
    requests: (count) =>
      times(Math.max(16, Math.min(4096, HASHES / size)), (request) =>
        post(
          `${V2}/lookup`,
          {
            addresses: times(size, (i) => hashOf(numberAt(request * size + i, count, isThere))),
            algorithm: 'sha256',
            pepper: PEPPER,
          },
          authorization(request),
        ),
      ),
    answer(count) {
      // Of few associations each is asked for more than once.
      const found = times(isThere ? Math.min(size, count) : 0, (i) => [hashOf(i), mxidOf(i)]);
      return { mappings: Object.fromEntries(found) };
    },
  };
}

const ping: Work = {
  name: 'ping',
  reach: { sqlite: 0.75 },
  quick: true,
  requests: () => [get(V2)],
  answer: () => ({}),
};

const hashDetails: Work = {
  name: 'hash_details',
  reach: { sqlite: 0.6 },
  quick: true,
  requests: () => times(ACCOUNTS, (i) => get(`${V2}/hash_details`, authorization(i))),
  answer: () => ({ algorithms: ['sha256', 'none'], lookup_pepper: PEPPER }),
};

/** What other servers can be asked as well, without knowing what they hold. */
export const PEER_WORKS = { ping, hashDetails };

export const WORKS: readonly Work[] = [
  ping,
  hashDetails,
  lookup(1, true, { reach: { sqlite: 0.5, postgres: 0.2 }, quick: true }),
  lookup(1, false, { reach: { sqlite: 0.5, postgres: 0.2 } }),
  lookup(100, true, { reach: { sqlite: 0.3, postgres: 0.12 }, quick: true }),
  lookup(100, false, { reach: { sqlite: 0.3, postgres: 0.12 } }),
  lookup(1000, true, { reach: { sqlite: 1 / 4 } }),
  lookup(1000, false, { reach: { sqlite: 1 / 4 } }),
  lookup(10_000, true, { reach: { sqlite: 1 / 6 } }),
  lookup(10_000, false, { reach: { sqlite: 1 / 6 } }),
  {
    name: 'v1 lookup, found',
    requests: (count) =>
      times(4096, (i) =>
        get(`${V1}/lookup?medium=email&address=${addressOf(numberAt(i, count, true))}`),
      ),
  },
  {
    name: 'v1 bulk_lookup of 100, found',
    requests: (count) =>
      times(512, (request) =>
        post(`${V1}/bulk_lookup`, {
          threepids: times(100, (i) => [
            'email',
            addressOf(numberAt(request * 100 + i, count, true)),
          ]),
        }),
      ),
    answer: () => ({
      threepids: times(100, (i) => ['email', addressOf(i), mxidOf(i)]),
    }),
  },
  {
    name: 'internal bind',
    reach: { sqlite: 0.06, postgres: 0.04 },
    listener: 'internal',
    once: true,
    quick: true,
    requests: (_count, many) =>
      times(many, (i) =>
        post('/_matrix/identity/internal/bind', {
          medium: 'email',
          address: `bind${i}-${process.hrtime.bigint()}@sample.test`,
          mxid: mxidOf(i),
        }),
      ),
  },
  {
    name: 'v2 bind',
    reach: { sqlite: 0.05 },
    once: true,
    requests: (_count, many) =>
      times(Math.min(many, SESSIONS), (i) =>
        post(
          `${V2}/3pid/bind`,
          { sid: String(i + 1), client_secret: SESSION_SECRET, mxid: mxidOf(i % ACCOUNTS) },
          authorization(i),
        ),
      ),
  },
  {
    name: 'email requestToken',
    reach: { sqlite: 0.03 },
    once: true,
    quick: true,
    requests: (_count, many) =>
      times(many, (i) =>
        post(
          `${V2}/validate/email/requestToken`,
          {
            email: `mail${i}-${process.hrtime.bigint()}@sample.test`,
            client_secret: 'secret',
            send_attempt: 1,
          },
          authorization(i),
        ),
      ),
  },
];
