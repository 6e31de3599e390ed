import { Ajv2020 } from 'ajv/dist/2020.js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiDescription } from '../../src/listeners/http/openapi.ts';
import type { Schema } from '../../src/model/json-schema.ts';
import { OPERATIONS } from '../../src/operations/operations.ts';
import {
  ADMIN_ROOT,
  type AdminClient,
  adminClient,
  createAdminToken,
  WITH_ADMIN,
} from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { deliveryReport } from '../support/delivery-reports.ts';
import { postJson } from '../support/http.ts';
import { bind, invite, refuseInvitations } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { startOpenMarket, type TestProvider } from '../support/sms.ts';

const ADA = { address: 'ada@sample.test', mxid: '@ada:nowhere.sample.test' };
const PEER = 'peer.sample.test';
const PEER_KEY = 'XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI';

type Arguments = Readonly<Record<string, string | number | boolean>>;

/** What each is asked, so that its result has all there can be in it. Those that take something away come last. */
const ASKED: readonly (readonly [name: string, args?: Arguments])[] = [
  ['doctor'],
  ['config/show'],
  ['stats'],
  ['history'],
  ['history', { days: 30 }],
  ['key/list'],
  ['key/plan'],
  ['lookup', { address_or_mxid: ADA.address }],
  ['lookup', { address_or_mxid: ADA.mxid, limit: 1 }],
  ['trace', { address: ADA.address }],
  ['messages/outcomes'],
  ['messages/templates'],
  ['messages/preview', { template: 'verification' }],
  ['messages/preview', { template: 'proven', brand: 'vector-im', language: 'ar' }],
  ['mail/test', { address: ADA.address }],
  ['mail/test', { address: 'refused@sample.test' }],
  ['sms/test', { number: '+447700900750' }],
  ['bind', { address: 'b@sample.test', mxid: '@b:sample.test' }],
  ['bind', { address: 'b@sample.test', mxid: '@other:sample.test', dry_run: true }],
  ['bind', { from: 'c@sample.test,@c:sample.test\nnonsense' }],
  ['unbind', { address: 'b@sample.test', mxid: '@b:sample.test' }],
  ['invites/list', { limit: 2 }],
  ['invites/by', { grouping: 'inviter' }],
  ['invites/would-block', { rooms: '!tea:sample.test', keywords: 'tea' }],
  ['invites/show', { id: 1 }],
  ['invites/resend', { id_or_address: 'guest@sample.test' }],
  ['invites/refusals', { address: 'third@sample.test' }],
  ['invites/refusals', {}],
  ['export', { address_or_mxid: 'third@sample.test' }],
  ['erase', { address_or_mxid: 'third@sample.test' }],
  ['invites/allow', { address: 'third@sample.test' }],
  ['mail/bounced', { from: deliveryReport({}) }],
  ['invites/expire', { id: 2 }],
  ['invites/cancel', { address: 'guest@sample.test' }],
  ['outbox/list'],
  ['outbox/retry', { homeserver: 'nowhere.sample.test' }],
  ['outbox/drop', { id: 0 }],
  ['limits/list'],
  ['limits/reset', { key: ADA.mxid }],
  ['limits/block', { whom: 'evil.example.test', hours: 1 }],
  ['limits/blocks'],
  ['limits/unblock', { id: 0 }],
  ['peers/add', { name: 'new.sample.test', key: PEER_KEY }],
  ['peers/list'],
  ['peers/status'],
  ['peers/disable', { name: PEER }],
  ['peers/enable', { name: PEER }],
  ['peers/remove', { name: PEER }],
  ['sessions/list'],
  ['sessions/delete', { id: 0 }],
  ['accounts/list'],
  ['accounts/logout', { mxid: ADA.mxid }],
  ['admin-token/list'],
  ['admin-token/revoke', { id: 'another' }],
  ['audit/list', { limit: 3 }],
  ['pepper/rotate'],
  ['pepper/status'],
  ['casefold', { dry_run: true }],
  ['casefold', { no_email: true }],
  ['export', { address_or_mxid: ADA.address }],
  ['export', { address_or_mxid: ADA.mxid }],
  ['erase', { address_or_mxid: ADA.mxid }],
  ['erase', { address_or_mxid: ADA.mxid, yes: true }],
];

/** Where a description says less than what it is. */
function looseParts(schema: Schema, where = ''): string[] {
  const { type, properties, additionalProperties, items, anyOf, allOf, $ref } = schema;
  const inner = [
    ...Object.entries(properties ?? {}).map(([name, one]) => [name, one] as const),
    ...(items === undefined ? [] : [['[]', items] as const]),
    ...(additionalProperties === undefined ? [] : [['*', additionalProperties] as const]),
    ...[...(anyOf ?? []), ...(allOf ?? [])].map((one) => ['|', one] as const),
  ];
  const isLoose =
    (type === 'object' && properties === undefined && additionalProperties === undefined) ||
    (type === 'array' && items === undefined) ||
    (type === undefined && anyOf === undefined && allOf === undefined && $ref === undefined);
  return [
    ...(isLoose ? [where] : []),
    ...inner.flatMap(([name, one]) => looseParts(one, `${where}.${name}`)),
  ];
}

/** The same, by which a member that is not described is wrong. */
function closed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(closed);
  if (typeof value !== 'object' || value === null) return value;
  const inner = Object.fromEntries(Object.entries(value).map(([name, one]) => [name, closed(one)]));
  return 'properties' in value && 'type' in value
    ? { ...inner, additionalProperties: false }
    : inner;
}

const ajv = new Ajv2020({ strict: false });
function expectToFit(schema: object, components: unknown, result: unknown): void {
  const isValid = ajv.validate(
    { ...(closed(schema) as object), components: closed(components) },
    result,
  );
  expect(isValid ? '' : `${ajv.errorsText()}: ${JSON.stringify(result)}`).toBe('');
}

test('every result is described in all its parts', () => {
  for (const { resource, action, result } of OPERATIONS) {
    expect([resource, action, looseParts(result)]).toEqual([resource, action, []]);
  }
});

describe.each(ENGINES)('on %s', (engine) => {
  let server: TestServer;
  let provider: TestProvider;
  let api: AdminClient;
  let description: ApiDescription;
  const file = () => server.config.files[0] ?? '';

  beforeAll(async () => {
    provider = await startOpenMarket();
    server = await startTestServer({
      engine,
      now: Date.now(),
      sections: { admin: WITH_ADMIN, sms: provider.config },
      smtp: {
        onRcptTo: ({ address }, _session, done) =>
          done(address.startsWith('refused') ? new Error('Not here') : null),
      },
    });
    const { execute } = server.database;
    api = adminClient(server, (await createAdminToken(file(), 'operator')).token);
    for (const [address, mxid] of [
      ['Old@sample.test', '@one:sample.test'],
      ['OLD@sample.test', '@two:sample.test'],
    ] as const) {
      await execute(
        `insert into local_threepid_associations (medium, address, mxid, ts, "notBefore", "notAfter")
          values ('email', ?, ?, 1000, 1, 4000000000000)`,
        [address, mxid],
      );
    }
    await server.restart();
    api = adminClient(server, (await createAdminToken(file(), 'operator')).token);
    for (const to of ['guest@sample.test', 'second@sample.test', 'third@sample.test']) {
      await invite(server, to);
    }
    await refuseInvitations(server, 'third@sample.test');
    const asked = { client_secret: 'secret', email: ADA.address, send_attempt: 1 };
    const v1 = `${server.url}/_matrix/identity/api/v1`;
    await postJson(`${v1}/validate/email/requestToken`, asked);
    await server.smtp.nextMail();
    await invite(server, ADA.address);
    await bind(server, ADA.address, ADA.mxid);
    await server.token(ADA.mxid);
    await api.post('peers/add', { name: PEER, key: PEER_KEY });
    await execute(
      'update cognomen_peers set last_failure = ?, last_failure_ts = 5 where name = ?',
      ['It did not answer', PEER],
    );
    await execute(
      'insert into cognomen_refused_associations (peer, association_id, since_ts) values (?, 1, 5)',
      [PEER],
    );
    const received = { bound: { count: 2, last: 5 }, ahead: { count: 1, last: 6 } };
    const hit = { limit: 'mail.total', key: '', times: 3, last: Date.now() };
    for (const [key, value] of [
      [`received_from ${PEER}`, received],
      ['limit_hits', [hit]],
    ] as const) {
      await execute('insert into cognomen_state (key, value) values (?, ?)', [
        key,
        JSON.stringify(value),
      ]);
    }
    description = (await api.get('openapi.json')).json;
  });
  afterAll(async () => {
    await server.stop();
    await provider.close();
  });

  test('each result is what its description says, and has nothing beside it', async () => {
    await expect
      .poll(() =>
        server.database.execute("select id from cognomen_message_events where event = 'sent'"),
      )
      .not.toEqual([]);
    const withId = async (name: string, args: Arguments): Promise<Arguments> => {
      if (args['id'] === 'another') {
        return { id: (await createAdminToken(file(), 'viewer')).id };
      }
      if (args['id'] !== 0) return args;
      const list = await api.get(
        name === 'limits/unblock' ? 'limits/blocks' : `${name.split('/')[0]}/list`,
      );
      return { id: list.json.items.at(-1).id };
    };
    for (const [name, args = {}] of ASKED) {
      const operation = OPERATIONS.find(
        ({ resource, action }) =>
          name === (action === undefined ? resource : `${resource}/${action}`),
      );
      const given = await withId(name, args);
      const answer =
        operation?.kind === 'change'
          ? await api.post(name, given)
          : await api.get(name, given as Record<string, string>);
      expect([name, args, answer.status, answer.json.errcode]).toEqual([
        name,
        args,
        200,
        undefined,
      ]);
      if (Array.isArray(answer.json.items))
        expect([name, answer.json.items]).not.toEqual([name, []]);
      const methods = description.paths[`${ADMIN_ROOT}/${name}`];
      const described = methods?.[operation?.kind === 'change' ? 'post' : 'get'];
      const schema = described?.responses['200']?.content?.['application/json']?.schema;
      expectToFit(schema ?? {}, description.components, answer.json);
    }
    const asked = new Set(ASKED.map(([name]) => name));
    const all = OPERATIONS.filter(({ commandOnly }) => !commandOnly).map(({ resource, action }) =>
      action === undefined ? resource : `${resource}/${action}`,
    );
    expect([...asked].sort()).toEqual(all.sort());
  });

  test('so is what a command alone does', async () => {
    const only = OPERATIONS.filter(({ commandOnly }) => commandOnly);
    expect(only.map(({ resource, action }) => `${resource} ${action}`)).toEqual([
      'admin-token create',
    ]);
    const args = ['admin-token', 'create', '--role', 'viewer', '--json', '-c', file()];
    const { output } = await runCommand(...args);
    expectToFit(only[0]?.result ?? {}, {}, JSON.parse(output));
  });
});
