import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type CollectedSpan, startCollector, type TestCollector } from '../support/collector.ts';
import { ENGINES } from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { get, postJson, request } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const API = '/_matrix/identity/api/v1';
const SERVER = 2;
const CLIENT = 3;

describe.each(ENGINES)('traces, on %s:', (engine) => {
  let ca: TestCa;
  let collector: TestCollector;
  let homeserver: TestHomeserver;
  let server: TestServer;

  beforeAll(async () => {
    ca = await createTestCa();
    collector = await startCollector();
    homeserver = await startHomeserver({ ca });
    server = await startTestServer({
      engine,
      trustedCa: ca.pem,
      sections: { general: homeserver.reachable },
      noticeTimings: { poll: 50 },
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
        OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20of-the-collector',
        OTEL_SERVICE_NAME: 'identity',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test,service.name=other',
        OTEL_BSP_SCHEDULE_DELAY: '20',
      },
    });
  });
  afterAll(async () => {
    await server.stop();
    await homeserver.close();
    await collector.close();
    await ca.remove();
  });

  const ask = (email: string, attempt = 1) =>
    postJson(`${server.url}${API}/validate/email/requestToken`, {
      email,
      client_secret: 'hush-hush',
      send_attempt: attempt,
    });
  const lines = (): Record<string, unknown>[] => server.logs.map((line) => JSON.parse(line));
  const ofTrace = (id: unknown) => collector.spans.filter(({ traceId }) => traceId === id);
  const roots = (name: string) =>
    collector.spans.filter((span) => span.name === name && !span.parentSpanId);
  /** All of a trace, once its root is there: it ends last. */
  async function trace(id: unknown): Promise<CollectedSpan[]> {
    await expect.poll(() => ofTrace(id).some(({ parentSpanId }) => !parentSpanId)).toBe(true);
    return ofTrace(id);
  }
  /** The id of the last request on that route, as the log has it. */
  async function lastId(route: string): Promise<string> {
    const found = () =>
      lines().findLast((line) => line['msg'] === 'Request' && line['route'] === route);
    await expect.poll(found).toBeDefined();
    return String(found()?.['reqId']);
  }

  test('one goes from the request to SQL and SMTP, by the id in its log lines and its messages', async () => {
    expect((await ask('ada@sample.test')).status).toBe(200);
    const id = await lastId(`${API}/validate/email/requestToken`);
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    const spans = await trace(id);
    const root = spans.find(({ parentSpanId }) => !parentSpanId);
    expect(root).toMatchObject({
      name: `POST ${API}/validate/email/requestToken`,
      kind: SERVER,
      failed: false,
      attributes: {
        'http.request.method': 'POST',
        'http.route': `${API}/validate/email/requestToken`,
        'http.response.status_code': 200,
      },
      resource: {
        'service.name': 'identity',
        'deployment.environment.name': 'test',
        'process.pid': process.pid,
      },
    });
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    for (const { parentSpanId } of spans) {
      if (parentSpanId) expect(byId.has(parentSpanId)).toBe(true);
    }
    const relay = spans.find(({ name }) => name === 'SMTP send');
    expect(relay).toMatchObject({ kind: CLIENT, attributes: { 'server.port': server.smtp.port } });
    const inserted = spans.find(({ name }) => name === 'insert threepid_token_auths');
    expect(inserted).toMatchObject({
      kind: CLIENT,
      attributes: { 'db.system.name': engine === 'sqlite' ? 'sqlite' : 'postgresql' },
    });
    expect(byId.get(inserted?.parentSpanId ?? '')?.name).toBe('transaction');
    expect(lines().find(({ msg }) => msg === 'Mail sent')?.['reqId']).toBe(id);
    const events = async () =>
      (await server.database.execute(
        "select details from cognomen_message_events where address = 'ada@sample.test'",
      )) as { details: string }[];
    await expect.poll(async () => (await events()).length).toBe(2);
    for (const { details } of await events()) expect(JSON.parse(details).request).toBe(id);
    expect(collector.received[0]?.headers.authorization).toBe('Bearer of-the-collector');
  });

  test('those of requests that commit together each have their own statements', async () => {
    const addresses = Array.from({ length: 12 }, (_, index) => `many${index}@many.test`);
    const before = collector.spans.length;
    await Promise.all(addresses.map((address) => ask(address)));
    const name = `POST ${API}/validate/email/requestToken`;
    const found = () => roots(name).filter((span) => collector.spans.indexOf(span) >= before);
    await expect.poll(() => found().length).toBe(addresses.length);
    for (const { traceId } of found()) {
      const names = ofTrace(traceId).map((span) => span.name);
      expect(names.filter((one) => one === 'insert threepid_token_auths')).toHaveLength(1);
      expect(names.filter((one) => one === 'SMTP send')).toHaveLength(1);
    }
    for (const { parentSpanId, name: own } of collector.spans) {
      if (!parentSpanId) expect(own).toMatch(/^(?:GET|POST) \/|^tell a homeserver$/);
    }
  });

  test('homeservers are asked within the request, and told in one of its own, and learn of neither', async () => {
    homeserver.openIdTokens.set('of-openid', `@ada:${homeserver.serverName}`);
    const registered = await postJson(`${server.url}/_matrix/identity/v2/account/register`, {
      access_token: 'of-openid',
      matrix_server_name: homeserver.serverName,
      token_type: 'Bearer',
      expires_in: 3600,
    });
    expect(registered.status).toBe(200);
    const spans = await trace(await lastId('/_matrix/identity/v2/account/register'));
    expect(spans.find(({ name }) => name === 'GET')).toMatchObject({
      kind: CLIENT,
      attributes: { 'server.address': 'localhost', 'http.response.status_code': 200 },
    });
    const bound = await postJson(`${server.internalUrl}/_matrix/identity/internal/bind`, {
      medium: 'email',
      address: 'told@sample.test',
      mxid: `@ada:${homeserver.serverName}`,
    });
    expect(bound.status).toBe(200);
    await homeserver.nextOnbind();
    const ofBind = await trace(await lastId('/_matrix/identity/internal/bind'));
    // The claim and what follows is work of the server's own.
    expect(ofBind.map(({ name }) => name)).toContain('insert cognomen_notices');
    expect(ofBind.filter(({ name }) => /^(?:select|update) cognomen_notice/.test(name))).toEqual(
      [],
    );
    await expect.poll(() => roots('tell a homeserver').length).toBeGreaterThan(0);
    const told = await trace(roots('tell a homeserver')[0]?.traceId);
    expect(told.find(({ name }) => name === 'POST')?.kind).toBe(CLIENT);
    expect(told.some(({ name }) => name.startsWith('select '))).toBe(true);
    for (const { headers } of homeserver.requests) {
      expect(headers).not.toHaveProperty('traceparent');
    }
  });

  test('what a request says that it is part of is linked to, and decides nothing', async () => {
    const traceId = 'a'.repeat(32);
    const spanId = 'b'.repeat(16);
    const said = async (traceparent: string) => {
      await request(`${server.url}${API}/pubkey/isvalid?public_key=x`, {
        headers: { traceparent },
      });
      const spans = await trace(await lastId(`${API}/pubkey/isvalid`));
      return spans.find(({ parentSpanId }) => !parentSpanId);
    };
    const linked = await said(`00-${traceId}-${spanId}-00`);
    expect(linked?.traceId).not.toBe(traceId);
    expect(linked?.links).toMatchObject([{ traceId, spanId }]);
    for (const wrong of [
      `00-${'0'.repeat(32)}-${spanId}-01`,
      `00-${traceId}-${spanId}-01, 00-${traceId}-${spanId}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
      `${'0'.repeat(8000)}`,
      "' or 1=1",
    ]) {
      expect((await said(wrong))?.links).toEqual([]);
    }
  });

  test('a refusal names its request to who asked', async () => {
    const { status, headers } = await get(`${server.url}/nowhere`);
    expect(status).toBe(404);
    const line = () =>
      lines().find(({ reqId }) => reqId !== undefined && reqId === headers.get('x-request-id'));
    await expect.poll(line).toMatchObject({ msg: 'Request', status: 404 });
  });

  test('hold no address, user, token, code or secret', async () => {
    const token = await server.token('@secret-user:sample.test');
    const v2 = `${server.url}/_matrix/identity/v2`;
    const email = 'secret.person@hidden.test';
    const asked = await postJson(
      `${v2}/validate/email/requestToken`,
      {
        email,
        client_secret: 'client-secret-1',
        send_attempt: 1,
        next_link: 'https://a.test/n?x=next-secret',
      },
      token,
    );
    const mail = await untilMail(email);
    const link = new URL(/https:\/\/\S+submitToken\S+/.exec(mail)?.[0] ?? '');
    const code = link.searchParams.get('token') ?? '';
    await request(`${server.url}${link.pathname}${link.search}`);
    const session = { sid: asked.json.sid, client_secret: 'client-secret-1' };
    await postJson(`${v2}/3pid/bind`, { ...session, mxid: '@secret-user:sample.test' }, token);
    const { lookup_pepper: pepper } = (await get(`${v2}/hash_details`, {}, token)).json;
    await postJson(
      `${v2}/lookup`,
      { addresses: [`${email} email`], algorithm: 'none', pepper },
      token,
    );
    await get(`${server.url}${API}/lookup`, { medium: 'email', address: email });
    await get(`${v2}/account`, { access_token: token });
    await request(`${server.url}/secret-path/${email}?x=secret-query`);
    server.smtp.refuse(550);
    await ask('refused.person@hidden.test');
    server.smtp.refuse(undefined);
    const id = await lastId(`${API}/validate/email/requestToken`);
    const spans = await trace(id);
    expect(spans.find(({ name }) => name === 'SMTP send')).toMatchObject({
      failed: true,
      attributes: { 'error.type': 'EENVELOPE' },
    });
    await trace(await lastId('unknown'));
    const sent = collector.received.map(({ body }) => body).join('\n');
    const secrets = [
      ...['secret.person', 'refused.person', 'hidden.test', 'secret-user', 'secret-path'],
      ...['secret-query', 'next-secret', 'client-secret-1', 'hush-hush', 'of-openid', '@ada'],
      ...[code, token, pepper, asked.json.sid, 'told@', 'many1'].map(String),
    ];
    for (const secret of secrets.filter((one) => one.length > 4))
      expect(sent).not.toContain(secret);
    expect(code.length).toBeGreaterThan(4);
  });

  async function untilMail(to: string): Promise<string> {
    const found = () => server.smtp.mails.find((mail) => mail.to.includes(to));
    await expect.poll(found).toBeDefined();
    return found()?.parsed.text ?? '';
  }
});

describe('without traces', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ env: {}, noticeTimings: { poll: 60_000 } });
  });
  afterAll(() => server.stop());

  const line = (msg: string) => () =>
    server.logs.map((one) => JSON.parse(one)).find((one) => one.msg === msg);

  test('lines of a request have its id, and what follows for others has not', async () => {
    const bound = await postJson(`${server.internalUrl}/_matrix/identity/internal/bind`, {
      medium: 'email',
      address: 'ada@sample.test',
      mxid: '@ada:nowhere.sample.test',
    });
    expect(bound.status).toBe(200);
    const failed = line('A homeserver did not take a notice; it is tried again');
    await expect.poll(failed).toBeDefined();
    expect(failed()).not.toHaveProperty('reqId');
    server.smtp.refuse(550);
    const refused = await postJson(`${server.url}${API}/validate/email/requestToken`, {
      email: 'ada@sample.test',
      client_secret: 'hush-hush',
      send_attempt: 1,
    });
    expect(refused.status).toBe(400);
    const id = refused.headers.get('x-request-id');
    expect(id).toMatch(/^[0-9a-f]{32}$/);
    expect(line('Mail not sent')()).toMatchObject({ reqId: id });
  });

  test('an id that a client sends is not taken', async () => {
    const given = 'a'.repeat(32);
    const { headers } = await request(`${server.url}/nowhere`, {
      headers: { 'x-request-id': given, traceparent: `00-${given}-${'b'.repeat(16)}-01` },
    });
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f]{32}$/);
    expect(headers.get('x-request-id')).not.toBe(given);
    expect(server.logs.join('')).not.toContain(given);
  });
});
