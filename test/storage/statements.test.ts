import pg from 'pg';
import { expect, test } from 'vitest';
import { postJson } from '../support/http.ts';
import { startTestServer } from '../support/server.ts';

/** What of a statement tells it from others. */
const kindOf = (text: string) =>
  /^(?:select pg_advisory|(?:insert into|update|delete from) "\w+"|\w+)/.exec(text)?.[0] ?? text;

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

  const asked: { client: object; text: string }[] = [];
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
  const { client } = asked.find(({ text }) => text.startsWith(insert)) ?? {};
  const own = asked.filter((one) => one.client === client).map(({ text }) => kindOf(text));
  const sessions = asked.filter(({ text }) => /^select .*threepid_validation_sessions/.test(text));
  expect(sessions).toHaveLength(1);
  expect(own.slice(own.indexOf('begin'), own.indexOf('commit') + 1)).toEqual([
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
  const asked: string[] = [];
  const query = pg.Client.prototype.query;
  pg.Client.prototype.query = function (this: pg.Client, ...args: unknown[]) {
    const [first] = args as [string | { text: string }];
    asked.push(typeof first === 'string' ? first : first.text);
    return (query as (...all: unknown[]) => unknown).apply(this, args);
  } as typeof query;
  const request = () =>
    postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
      client_secret: 'secret',
      email: 'ada@sample.test',
      send_attempt: 1,
    });
  const kinds = () => {
    // Limits are asked by statements of their own, and others look for what is due.
    return asked
      .filter(
        (text) => !/cognomen_(?:buckets|notice|peers|state)|"peers"|local_threepid/.test(text),
      )
      .map(kindOf);
  };
  try {
    expect((await request()).status).toBe(200);
    expect(kinds()).toEqual([
      // Whether it is a repeat.
      'select',
      'begin',
      'select',
      'insert into "cognomen_sessions"',
      'insert into "threepid_validation_sessions"',
      'select',
      'update "cognomen_sessions"',
      'commit',
      'begin',
      'select',
      'delete from "cognomen_session_codes"',
      'insert into "cognomen_session_codes"',
      'update "cognomen_sessions"',
      'delete from "threepid_token_auths"',
      'insert into "threepid_token_auths"',
      'commit',
    ]);
    asked.length = 0;
    expect((await request()).status).toBe(200);
    expect(kinds()).toEqual(['select']);
  } finally {
    pg.Client.prototype.query = query;
    await server.stop();
  }
  expect(server.smtp.mails).toHaveLength(1);
});
