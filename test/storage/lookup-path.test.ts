import { createHash } from 'node:crypto';
import pg from 'pg';
import { expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { bind } from '../support/invitations.ts';
import { startTestServer } from '../support/server.ts';

const V1 = '/_matrix/identity/api/v1';
const V2 = '/_matrix/identity/v2';
const ADDRESS = 'ada@sample.test';

const CONSTRUCTS = 'select from where and as on inner left cross join any ::text[] = <= > *';

/** What a statement is made of, without names and values. */
const constructsOf = (statement: string): string[] =>
  statement
    .replace(/"[^"]*"/g, 'name')
    .replace(/'[^']*'/g, 'value')
    .replace(/\b(?:lookup|global|session|cognomen_\w+|\w+_associations)\.\w+/g, 'name')
    .replace(/\$\d+/g, 'value')
    .match(/::\w+(?:\[\])?|[a-z_]+(?=\s*\()|\b[a-z_]+\b|<=|>=|<>|[=<>*]/g) ?? [];

/** Names of tables and columns in statements written by hand. */
const NAMES = new Set(
  'name value key id mxid ts spelling lookup lookup_hash global cognomen_lookup_keys global_threepid_associations'.split(
    ' ',
  ),
);

test.runIf(ENGINES.includes('postgres'))(
  'lookups ask a PostgreSQL for nothing that a distributed one cannot do',
  async () => {
    const server = await startTestServer({ engine: 'postgres' });
    await bind(server, ADDRESS, '@ada:sample.test');
    const token = await server.token('@asks:sample.test');
    const asked = new Set<string>();
    const { query } = pg.Client.prototype;
    pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
      const [first] = args as [string | { text: string }];
      asked.add(typeof first === 'string' ? first : first.text);
      return (query as (...all: unknown[]) => unknown).apply(this, args);
    } as typeof query;
    try {
      const { json: details } = await get(`${server.url}${V2}/hash_details`, {}, token);
      const pepper = details.lookup_pepper;
      const hash = createHash('sha256').update(`${ADDRESS} email ${pepper}`).digest('base64url');
      const lookUp = async (algorithm: string, address: string) => {
        const body = { algorithm, pepper, addresses: [address] };
        const { json } = await postJson(`${server.url}${V2}/lookup`, body, token);
        expect(json.mappings).toEqual({ [address]: '@ada:sample.test' });
      };
      await lookUp('sha256', hash);
      await lookUp('none', `${ADDRESS} email`);
      const one = await get(`${server.url}${V1}/lookup`, { medium: 'email', address: ADDRESS });
      expect(one.json).toMatchObject({ mxid: '@ada:sample.test' });
      const threepids = [['email', ADDRESS]];
      const bulk = await postJson(`${server.url}${V1}/bulk_lookup`, { threepids });
      expect(bulk.json.threepids).toEqual([['email', ADDRESS, '@ada:sample.test']]);
    } finally {
      pg.Client.prototype.query = query;
      await server.stop();
    }
    const lookups = [...asked].filter((text) => /cognomen_lookup_keys|from "tokens"/.test(text));
    expect(lookups).toHaveLength(4);
    const constructs = new Set(lookups.flatMap(constructsOf).filter((each) => !NAMES.has(each)));
    // docs/scaling.md, “Citus and YugabyteDB”, tells of each; another one belongs there as well.
    expect([...constructs].sort()).toEqual(CONSTRUCTS.split(' ').sort());
  },
);
