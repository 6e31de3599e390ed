import pg from 'pg';
import { expect, test } from 'vitest';
import { postJson } from '../support/http.ts';
import { startTestServer } from '../support/server.ts';

/** What of a statement tells it from others. */
const kindOf = (text: string) =>
  /^(?:select pg_advisory|(?:insert into|update|delete from) "\w+"|\w+)/.exec(text)?.[0] ?? text;

interface Asked {
  readonly client: object;
  readonly text: string;
}

/** The transactions with such a statement in them; the server's own work goes on beside them, over the same connections. */
function transactionsWith(asked: readonly Asked[], wanted: RegExp): string[][] {
  const all: string[][] = [];
  const open = new Map<object, string[]>();
  for (const { client, text } of asked) {
    if (text === 'begin') {
      const begun: string[] = [];
      all.push(begun);
      open.set(client, begun);
    }
    open.get(client)?.push(text);
    if (text === 'commit') open.delete(client);
  }
  return all
    .filter((texts) => texts.some((text) => wanted.test(text)))
    .map((texts) => texts.map(kindOf));
}

test('a bind reads its address once, and asks the database ten things', async () => {
  const server = await startTestServer({ engine: 'postgres' });
  const v1 = `${server.url}/_matrix/identity/api/v1`;
  const secret = { client_secret: 'secret' };
  const { json } = await postJson(`${v1}/validate/email/requestToken`, {
    ...secret,
    email: 'Ada@sample.test',
    send_attempt: 1,
  });
  const mail = await server.smtp.nextMail();
  const token = /token=([A-Za-z0-9]{32})/.exec(mail.parsed.text ?? '')?.[1];
  const session = { ...secret, sid: json.sid };
  await postJson(`${v1}/validate/email/submitToken`, { ...session, token });

  const asked: Asked[] = [];
  const query = pg.Client.prototype.query;
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const [first] = args as [string | { text: string }];
    asked.push({ client: this, text: typeof first === 'string' ? first : first.text });
    return (query as (...all: unknown[]) => unknown).apply(this, args);
  } as typeof query;
  try {
    const bound = await postJson(`${v1}/3pid/bind`, { ...session, mxid: '@ada:sample.test' });
    expect(bound.status).toBe(200);
  } finally {
    pg.Client.prototype.query = query;
    await server.stop();
  }

  const insert = 'insert into "local_threepid_associations"';
  const sessions = asked.filter(({ text }) => /^select .*threepid_validation_sessions/.test(text));
  expect(sessions).toHaveLength(1);
  const [own, ...others] = transactionsWith(asked, new RegExp(`^${insert}`));
  expect(others).toEqual([]);
  expect(own).toEqual([
    'begin',
    'select pg_advisory',
    'update "cognomen_sessions"',
    'select',
    insert,
    'insert into "cognomen_state"',
    'insert into "global_threepid_associations"',
    'insert into "cognomen_lookup_keys"',
    'insert into "cognomen_notices"',
    'insert into "cognomen_notice_servers"',
    'commit',
  ]);
});

test('a mail takes two commits: its code is stored before it goes out, and confirmed after', async () => {
  const server = await startTestServer({ engine: 'postgres' });
  const asked: Asked[] = [];
  const query = pg.Client.prototype.query;
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const [first] = args as [string | { text: string }];
    asked.push({ client: this, text: typeof first === 'string' ? first : first.text });
    return (query as (...all: unknown[]) => unknown).apply(this, args);
  } as typeof query;
  const request = () =>
    postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      client_secret: 'secret',
      email: 'ada@sample.test',
      send_attempt: 1,
    });
  const written = () => transactionsWith(asked, /^(?:insert into|update) "cognomen_session/);
  try {
    expect((await request()).status).toBe(200);
    const upToCommit = written().map((kinds) => kinds.slice(0, kinds.indexOf('commit') + 1));
    expect(upToCommit).toEqual([
      [
        'begin',
        'select',
        'insert into "cognomen_sessions"',
        'insert into "threepid_validation_sessions"',
        'select',
        'update "cognomen_sessions"',
        'commit',
      ],
      [
        'begin',
        'select',
        'delete from "cognomen_session_codes"',
        'insert into "cognomen_session_codes"',
        'update "cognomen_sessions"',
        'delete from "threepid_token_auths"',
        'insert into "threepid_token_auths"',
        'commit',
      ],
    ]);
    asked.length = 0;
    expect((await request()).status).toBe(200);
    expect(written()).toEqual([]);
  } finally {
    pg.Client.prototype.query = query;
    await server.stop();
  }
  expect(server.smtp.mails).toHaveLength(1);
});
