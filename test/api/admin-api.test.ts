import { once } from 'node:events';
import { connect } from 'node:net';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deleteOldTrail, renameInTrail } from '../../src/identity/operators/trail.ts';
import type { ApiDescription } from '../../src/listeners/http/openapi.ts';
import { OPERATIONS } from '../../src/operations/operations.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import {
  ADMIN_ROOT,
  type AdminClient,
  adminClient,
  createAdminToken,
  WITH_ADMIN,
} from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { request, type TestAnswer } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
import { PUBLIC_KEY, startTestServer, type TestServer } from '../support/server.ts';

const code = ({ status, json }: TestAnswer) => [status, json?.errcode];
const DAY = 24 * 60 * 60 * 1000;

describe.each(ENGINES)('the admin API, on %s,', (engine) => {
  let server: TestServer;
  let viewer: AdminClient;
  let operator: AdminClient;
  let operatorId: string;
  const file = () => server.config.files[0] ?? '';

  beforeAll(async () => {
    server = await startTestServer({ engine, now: Date.now(), sections: { admin: WITH_ADMIN } });
    viewer = adminClient(server, (await createAdminToken(file(), 'viewer')).token);
    const created = await createAdminToken(file(), 'operator', '--name', 'tests');
    operatorId = created.id;
    operator = adminClient(server, created.token);
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    await bind(server, 'two@sample.test', '@ada:sample.test');
  });
  afterAll(() => server.stop());

  const trail = async (query: Record<string, string> = {}) =>
    (await operator.get('audit/list', { limit: '1000', ...query })).json.items;

  test('has an endpoint for each operation, which its description names with what it answers', async () => {
    const { json } = await viewer.get('openapi.json');
    const { paths, info } = json as ApiDescription;
    expect(info.title).toBe('Admin API of Cognomen');
    const expected = OPERATIONS.filter(({ commandOnly }) => !commandOnly).map(
      ({ resource, action, kind }) =>
        `${kind === 'change' ? 'post' : 'get'} ${ADMIN_ROOT}/${resource}${action === undefined ? '' : `/${action}`}`,
    );
    const found = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    const own = ['openapi.json', 'about', 'sign-in'].map((path) => `get ${ADMIN_ROOT}/${path}`);
    expect(found.sort()).toEqual(['get /health', 'get /ready', ...own, ...expected].sort());
    expect(JSON.stringify(Object.keys(paths))).not.toContain('admin-token/create');
    for (const [path, methods] of Object.entries(paths)) {
      for (const { security } of Object.values(methods)) {
        expect(security).toEqual(
          path.startsWith(ADMIN_ROOT) && path !== `${ADMIN_ROOT}/sign-in`
            ? [{ accessToken: [] }]
            : [],
        );
      }
    }
  });

  test('tells anybody whether it is alive and ready, and nothing else', async () => {
    for (const path of ['/health', '/ready']) {
      const url = `${server.adminUrl}${path}`;
      for (const headers of [{}, { authorization: 'Bearer wrong' }]) {
        const answer = await request(url, { headers });
        expect([answer.status, answer.json]).toEqual([200, { status: 'ok' }]);
      }
      expect((await request(url, { method: 'HEAD' })).status).toBe(200);
      expect(code(await request(url, { method: 'POST' }))).toEqual([401, 'M_UNAUTHORIZED']);
      const headers = { origin: 'https://evil.test' };
      expect(code(await request(url, { headers }))).toEqual([403, 'M_FORBIDDEN']);
      expect(code(await request(`${url}/x`))).toEqual([401, 'M_UNAUTHORIZED']);
    }
  });

  test('tells who asks, in which role, and by which keys the server signs', async () => {
    const about = { server_name: 'id.test', keys: [{ id: 'ed25519:0', public_key: PUBLIC_KEY }] };
    expect((await viewer.get('about')).json).toMatchObject({ role: 'viewer', ...about });
    const { who } = (await operator.get('about')).json;
    expect(who).toBe(`token ${operatorId} tests`);
  });

  test('gives the trail from its end on, too', async () => {
    for (const address of ['one', 'two', 'three']) {
      await viewer.get('lookup', { address_or_mxid: `${address}@order.test` });
    }
    const ids = async (query: Record<string, string>) => {
      const { json } = await operator.get('audit/list', { newest: 'true', ...query });
      return { next: json.next, ids: json.items.map(({ id }: { id: number }) => id) };
    };
    const first = await ids({ limit: '2' });
    const second = await ids({ limit: '2', after: first.next });
    const all = [...first.ids, ...second.ids];
    expect(all).toEqual([...all].sort((a, b) => b - a));
    expect(new Set(all).size).toBe(4);
    const of = await operator.get('audit/list', {
      newest: 'true',
      address_or_mxid: 'two@order.test',
    });
    const actions = of.json.items.map(({ action }: { action: string }) => action);
    expect(actions).toEqual(['audit list', 'lookup']);
  });

  test('answers what the commands do', async () => {
    const run = async (...args: string[]) =>
      JSON.parse((await runCommand(...args, '--json', '-c', file())).output);
    expect((await viewer.get('stats')).json).toEqual(await run('stats'));
    const { json } = await viewer.get('lookup', { address_or_mxid: 'ADA@sample.test' });
    expect(json.items).toEqual(await run('lookup', 'ada@sample.test'));
    expect(json.items).toMatchObject([{ mxid: '@ada:sample.test', in_force: true }]);
  });

  test('gives pages, and where the next one begins', async () => {
    const query = { address_or_mxid: '@ada:sample.test', limit: '1' };
    const first = (await viewer.get('lookup', query)).json;
    expect(first.items).toMatchObject([{ address: 'ada@sample.test' }]);
    const second = (await viewer.get('lookup', { ...query, after: first.next })).json;
    expect(second.items).toMatchObject([{ address: 'two@sample.test' }]);
    const third = await viewer.get('lookup', { ...query, after: second.next });
    expect(code(third)).toEqual([404, 'M_NOT_FOUND']);
    const all = (await viewer.get('lookup', { ...query, limit: '2' })).json;
    expect((await viewer.get('lookup', { ...query, limit: '3' })).json).not.toHaveProperty('next');
    expect(all.next).toBe(second.next);
    await server.token('@a:sample.test');
    await server.token('@b:sample.test');
    const accounts = (await viewer.get('accounts/list', { limit: '1' })).json;
    const others = (await viewer.get('accounts/list', { after: accounts.next })).json;
    expect(others.items).not.toHaveLength(0);
    expect(JSON.stringify(others.items)).not.toContain(JSON.stringify(accounts.next));
  });

  test('changes what operators change, and lets viewers look only', async () => {
    await invite(server, 'bob@sample.test');
    expect(code(await viewer.post('invites/cancel', { address: 'bob@sample.test' }))).toEqual([
      403,
      'M_FORBIDDEN',
    ]);
    expect(code(await viewer.get('audit/list'))).toEqual([403, 'M_FORBIDDEN']);
    expect(code(await viewer.get('admin-token/list'))).toEqual([403, 'M_FORBIDDEN']);
    expect((await viewer.get('invites/list')).json.items).toHaveLength(1);
    const cancelled = await operator.post('invites/cancel', { address: 'BOB@sample.test' });
    expect([cancelled.status, cancelled.json]).toEqual([200, { cancelled: 1 }]);
    expect(code(await operator.post('invites/cancel', { address: 'bob@sample.test' }))).toEqual([
      404,
      'M_NOT_FOUND',
    ]);
    expect(await trail({ address_or_mxid: 'BOB@sample.test' })).toMatchObject([
      { action: 'invites cancel', outcome: 'refused' },
      { action: 'invites cancel', outcome: 'done', who: `token ${operatorId} tests`, via: 'api' },
      { action: 'invites cancel', outcome: 'not_found', origin: '127.0.0.1' },
      { action: 'audit list', outcome: 'begun' },
    ]);
  });

  test('takes the text of a file as it is, and tells which lines failed', async () => {
    const bound = await operator.post('bind', {
      address: 'new@sample.test',
      mxid: '@n:sample.test',
    });
    expect([bound.status, bound.json.mxid]).toEqual([200, '@n:sample.test']);
    expect(await trail({ address_or_mxid: 'new@sample.test' })).toMatchObject([
      { action: 'bind', details: { mxid: '@n:sample.test' }, outcome: 'done' },
      { action: 'audit list' },
    ]);
    const from = 'one@sample.test,@one:sample.test\nnonsense\n';
    const many = await operator.post('bind', { from, dry_run: true });
    expect([many.status, many.json]).toMatchObject([
      200,
      { dry_run: true, bound: 1, failed: 1, failures: [{ line: 2 }] },
    ]);
    const entry = (await trail()).findLast(({ action }: { action: string }) => action === 'bind');
    expect(entry).toMatchObject({ details: { from: true, 'dry-run': true }, outcome: 'failed' });
    expect(code(await operator.post('bind', { address: 'new@sample.test' }))).toEqual([
      400,
      'M_INVALID_PARAM',
    ]);
    expect(code(await viewer.post('bind', { from }))).toEqual([403, 'M_FORBIDDEN']);
    const unbound = await operator.post('unbind', {
      address: 'new@sample.test',
      mxid: '@n:sample.test',
    });
    expect(unbound.json).toEqual({ unbound: true });
    expect(code(await operator.post('unbind', { address: 'new@sample.test' }))).toEqual([
      400,
      'M_MISSING_PARAMS',
    ]);
  });

  test('writes down who looked at whom, by the API and by commands, before it answers', async () => {
    await viewer.get('lookup', { address_or_mxid: 'two@sample.test' });
    await runCommand('lookup', 'TWO@sample.test', '--limit', '5', '-c', file());
    await viewer.get('lookup', { address_or_mxid: '+44 7700 900999' });
    const seen = await trail({ address_or_mxid: 'two@sample.test' });
    expect(seen).toMatchObject([
      { action: 'lookup', via: 'api', about: 'two@sample.test', details: {}, outcome: 'done' },
      { action: 'lookup', via: 'command', details: { limit: '5' }, outcome: 'done' },
      { action: 'audit list' },
    ]);
    expect(seen[1].who).toMatch(/^user .+/);
    expect(Math.abs(seen[1].at - Date.now())).toBeLessThan(120_000);
    expect((await trail()).map(({ about }: { about?: string }) => about)).toContain('447700900999');
    const { output } = await runCommand('audit', 'list', 'two@sample.test', '-c', file());
    expect(output).toMatch(/, api from 127\.0\.0\.1: lookup two@sample\.test {2}done\n/);
    const before = (await trail()).length;
    await viewer.get('stats');
    expect(await trail()).toHaveLength(before + 1);
  });

  test('shows no token, and keeps none that could be used', async () => {
    const { id, token } = await createAdminToken(file(), 'viewer', '--name', 'phone');
    const { json, text } = await operator.get('admin-token/list');
    expect(json.items).toContainEqual(
      expect.objectContaining({
        id,
        role: 'viewer',
        name: 'phone',
        created_at: expect.any(Number),
      }),
    );
    const rows = await server.database.execute('select * from cognomen_admin_tokens');
    const audit = await server.database.execute('select * from cognomen_audit');
    for (const where of [text, JSON.stringify(rows), JSON.stringify(audit), server.logs.join()]) {
      expect(where).not.toContain(token);
    }
    for (const { hash } of rows as { hash: string }[]) expect(text).not.toContain(hash);
    for (const { hash } of rows as { hash: string }[]) {
      expect(code(await adminClient(server, hash).get('stats'))).toEqual([401, 'M_UNAUTHORIZED']);
    }
  });

  test('forgets what was long ago, and calls an erased one by another name', async () => {
    const storage = await openForCommand(server.config.db, pino({ level: 'silent' }));
    const { stores } = storage;
    const entry = {
      who: 'user x',
      via: 'command',
      origin: 'x',
      action: 'x',
      outcome: 'done',
    } as const;
    const gone = 'gone@sample.test';
    for (let at = 1; at <= 1200; at++) {
      await stores.audit.add({ ...entry, at, about: undefined, details: {} });
    }
    const now = Date.now();
    await stores.audit.add({ ...entry, at: now, about: gone, details: { to: '@x:y', dry: true } });
    await stores.audit.add({ ...entry, at: now, about: '@x:y', details: { from: gone } });
    expect(await deleteOldTrail(storage, 1201)).toBe(1200);
    const name = 'erased:one';
    expect(await renameInTrail(storage, gone, name)).toBe(2);
    expect(await renameInTrail(storage, '@x:y', 'erased:other')).toBe(2);
    await storage.close();
    const rows = JSON.stringify(await server.database.execute('select * from cognomen_audit'));
    expect(rows).not.toContain(gone);
    expect(
      await trail({ address_or_mxid: name, since: new Date(now - 1).toISOString() }),
    ).toMatchObject([{ about: name, details: { to: 'erased:other', dry: true } }]);
    expect(await trail({ address_or_mxid: name, since: '2090-01-01' })).toEqual([]);
  });

  test('lets a token in no more once it is revoked, or has ended', async () => {
    const { id, token } = await createAdminToken(file(), 'viewer');
    const client = adminClient(server, token);
    expect((await client.get('stats')).status).toBe(200);
    expect((await operator.post('admin-token/revoke', { id })).json).toEqual({ revoked: true });
    expect(code(await client.get('stats'))).toEqual([401, 'M_UNAUTHORIZED']);
    expect((await runCommand('admin-token', 'revoke', id, '-c', file())).status).toBe(1);
    const short = await createAdminToken(file(), 'viewer', '--expires-days', '1');
    const soon = adminClient(server, short.token);
    expect((await soon.get('stats')).status).toBe(200);
    server.clock.advance(DAY + 60_000);
    expect(code(await soon.get('stats'))).toEqual([401, 'M_UNAUTHORIZED']);
    expect((await viewer.get('stats')).status).toBe(200);
  });

  test.each([
    ['lookup', {}, 'M_MISSING_PARAMS', 'address_or_mxid'],
    ['lookup', { address_or_mxid: 'nonsense' }, 'M_INVALID_PARAM', 'no email address'],
    ['lookup', { adress: 'a@b.test' }, 'M_INVALID_PARAM', 'no parameter "adress"'],
    ['sessions/list', { address: '@ada:sample.test' }, 'M_INVALID_PARAM', 'is a user id'],
    ['accounts/list', { limit: '100000' }, 'M_INVALID_PARAM', 'limit must be'],
    ['accounts/list', { limit: '-1' }, 'M_INVALID_PARAM', 'limit must be'],
    ['invites/list', { after: 'x' }, 'M_INVALID_PARAM', 'after must be'],
  ])('refuses GET %s with %j', async (path, query, errcode, message) => {
    const answer = await viewer.get(path, query);
    expect(code(answer)).toEqual([400, errcode]);
    expect(answer.json.error).toContain(message);
    if (errcode === 'M_INVALID_PARAM' && !('adress' in query)) {
      expect(Object.keys(query)).toContain(answer.json.field);
    }
  });

  test.each([
    ['', 'M_BAD_JSON'],
    ['[]', 'M_BAD_JSON'],
    ['{"id":true}', 'M_INVALID_PARAM'],
    ['{"id":1,"force":true}', 'M_INVALID_PARAM'],
    ['{"id":"\\u0000"}', 'M_INVALID_PARAM'],
    ['{"id":"\\ud800"}', 'M_INVALID_PARAM'],
  ])('refuses POST sessions/delete with %s', async (body, errcode) => {
    const { token } = await createAdminToken(file(), 'operator');
    const answer = await request(`${server.adminUrl}${ADMIN_ROOT}/sessions/delete`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      body,
    });
    expect(code(answer)).toEqual([400, errcode]);
  });

  test('takes numbers as such, and no more than a body may hold', async () => {
    expect(code(await operator.post('sessions/delete', { id: 4711 }))).toEqual([
      404,
      'M_NOT_FOUND',
    ]);
    expect(code(await operator.post('sessions/delete', { id: 'x'.repeat(70_000) }))).toEqual([
      413,
      'M_TOO_LARGE',
    ]);
    expect(code(await operator.get('sessions/delete'))).toEqual([405, 'M_UNRECOGNIZED']);
    expect(code(await operator.get('nothing'))).toEqual([404, 'M_UNRECOGNIZED']);
  });
});

describe('the admin API', () => {
  let server: TestServer;
  let token: string;
  beforeAll(async () => {
    server = await startTestServer({ now: Date.now(), sections: { admin: WITH_ADMIN } });
    token = (await createAdminToken(server.config.files[0] ?? '', 'operator')).token;
  });
  afterAll(() => server.stop());
  const url = (path: string) => `${server.adminUrl}${path}`;

  test('is not there unless it is asked for', async () => {
    const other = await startTestServer();
    expect(other.app.addresses.admin).toBeUndefined();
    await other.stop();
  });

  test('lets nobody in without a token of its own, whatever is asked for', async () => {
    const user = await server.token('@ada:sample.test');
    for (const authorization of [
      undefined,
      '',
      'Bearer ',
      token,
      `Basic ${token}`,
      `Bearer ${user}`,
      `Bearer ${token}x`,
      `Bearer ${token.slice(0, -1)}`,
      `Bearer ${'x'.repeat(9000)}`,
    ]) {
      for (const path of [`${ADMIN_ROOT}/stats`, `${ADMIN_ROOT}/openapi.json`, '/nowhere']) {
        const headers = authorization === undefined ? {} : { authorization };
        const answer = await request(url(path), { headers });
        expect(code(answer)).toEqual([401, 'M_UNAUTHORIZED']);
        expect(answer.headers.get('www-authenticate')).toContain('Bearer');
      }
    }
    expect(code(await request(url(`${ADMIN_ROOT}/stats?access_token=${token}`)))).toEqual([
      401,
      'M_UNAUTHORIZED',
    ]);
    expect(server.logs.join('')).not.toContain(token);
  });

  test('is for no web page, and lets none read its answers', async () => {
    const authorization = `Bearer ${token}`;
    const headers = { authorization, origin: 'https://evil.test' };
    for (const method of ['GET', 'OPTIONS', 'POST']) {
      const answer = await request(url(`${ADMIN_ROOT}/stats`), { method, headers });
      expect(code(answer)).toEqual([403, 'M_FORBIDDEN']);
    }
    const plain = await request(url(`${ADMIN_ROOT}/stats`), { headers: { authorization } });
    expect(plain.status).toBe(200);
    const names = [...plain.headers.keys()];
    expect(names.filter((name) => name.startsWith('access-control'))).toEqual([]);
  });

  test('refuses before a body is read', async () => {
    const socket = connect(Number(new URL(server.adminUrl).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      `POST ${ADMIN_ROOT}/sessions/delete HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{`,
    );
    const [answer] = await once(socket, 'data');
    expect(String(answer)).toMatch(/^HTTP\/1\.1 401 /);
    socket.destroy();
  });

  test('takes so many wrong tokens from a network, then refuses it for a while', async () => {
    const other = await startTestServer({
      now: Date.now(),
      sections: {
        admin: WITH_ADMIN,
        http: 'obey_x_forwarded_for = true\ntrusted_proxies = 127.0.0.1',
      },
    });
    const token = async (name: string) =>
      (await createAdminToken(other.config.files[0] ?? '', 'viewer', '--name', name)).token;
    const [good, late, known] = [await token('good'), await token('late'), await token('known')];
    const ask = (bearer: string, from: string) =>
      request(`${other.adminUrl}${ADMIN_ROOT}/stats`, {
        headers: { authorization: `Bearer ${bearer}`, 'x-forwarded-for': from },
      });
    expect((await ask(known, '203.0.113.5')).status).toBe(200);
    // At once, so that none is counted too late.
    const tries = await Promise.all(
      Array.from({ length: 80 }, (_, index) => ask(`cognomen_admin_${index}`, '203.0.113.5')),
    );
    expect(tries.filter(({ status }) => status === 401)).toHaveLength(60);
    const refused = await ask(good, '203.0.113.5');
    expect(code(refused)).toEqual([429, 'M_LIMIT_EXCEEDED']);
    expect(refused.json.retry_after_ms).toBeGreaterThan(0);
    expect((await ask(good, '203.0.113.6')).status).toBe(200);
    // Who was in before is not kept out, until the token ends.
    expect((await ask(known, '203.0.113.5')).status).toBe(200);
    await other.database.execute("delete from cognomen_admin_tokens where name = 'known'");
    expect((await ask(known, '203.0.113.5')).status).toBe(401);
    expect((await ask(known, '203.0.113.5')).status).toBe(429);
    other.clock.advance(refused.json.retry_after_ms);
    expect((await ask(late, '203.0.113.5')).status).toBe(200);
    for (let asked = 0; asked < 100; asked++) {
      expect((await ask(good, '203.0.113.7')).status).toBe(200);
    }
    await other.stop();
  });
});
