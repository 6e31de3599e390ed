import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createDatabase, ENGINES, type TestDatabase } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { HAS_PGBOUNCER, startPgBouncer } from '../support/pgbouncer.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const V2 = '/_matrix/identity/v2';
const secret = { client_secret: 'secret' };

describe.runIf(HAS_PGBOUNCER && ENGINES.includes('postgres'))('behind PgBouncer', () => {
  let database: TestDatabase;
  let bouncer: Awaited<ReturnType<typeof startPgBouncer>>;
  let nodes: TestServer[];
  beforeEach(async () => {
    database = await createDatabase('postgres');
    bouncer = await startPgBouncer(database.config);
    const sections = { db: bouncer.config };
    nodes = [
      await startTestServer({ database, sections }),
      await startTestServer({ database, sections }),
    ];
  });
  afterEach(async () => {
    for (const node of nodes) await node.stop();
    await bouncer.stop();
    await database.drop();
  });

  test('two nodes share sessions, bindings and tokens, each transaction in whatever session is free', async () => {
    const [one, two] = nodes;
    if (one === undefined || two === undefined) throw new Error('There are two');
    expect(one.logs.some((line) => JSON.parse(line).pooler === true)).toBe(true);
    const token = await one.token('@ada:sample.test');

    // Many at once, so that statements of one connection come to all sessions there are.
    const bound = Array.from({ length: 30 }, async (_, i) => {
      const { status } = await postJson(
        `${(i % 2 ? one : two).internalUrl}/_matrix/identity/internal/bind`,
        { medium: 'email', address: `ada${i}@sample.test`, mxid: '@ada:sample.test' },
      );
      return status;
    });
    const asked = Array.from({ length: 60 }, async (_, i) => {
      const node = i % 2 ? two : one;
      return (await get(`${node.url}${V2}/account`, {}, token)).status;
    });
    expect(new Set(await Promise.all([...bound, ...asked]))).toEqual(new Set([200]));

    const { json: details } = await get(`${two.url}${V2}/hash_details`, {}, token);
    const addresses = Array.from({ length: 30 }, (_, i) => `ada${i}@sample.test email`);
    const query = { addresses, algorithm: 'none', pepper: details.lookup_pepper };
    const found = await Promise.all(
      [one, two, one, two].map((node) => postJson(`${node.url}${V2}/lookup`, query, token)),
    );
    for (const { json } of found) expect(Object.keys(json.mappings)).toHaveLength(30);

    const begun = await postJson(
      `${one.url}${V2}/validate/email/requestToken`,
      { email: 'grace@sample.test', send_attempt: 1, ...secret },
      token,
    );
    const mail = await one.smtp.nextMail();
    const code = /token=([0-9a-zA-Z]+)/.exec(mail.parsed.text ?? '')?.[1] ?? '';
    const { sid } = begun.json;
    const submitted = await postJson(
      `${two.url}${V2}/validate/email/submitToken`,
      { sid, token: code, ...secret },
      token,
    );
    expect(submitted.json).toEqual({ success: true });
    const owned = { sid, mxid: '@ada:sample.test', ...secret };
    const { status } = await postJson(`${one.url}${V2}/3pid/bind`, owned, token);
    expect(status).toBe(200);
  });
});
