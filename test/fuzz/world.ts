import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type ApiDescription,
  describeApi,
  type Operation,
} from '../../src/listeners/http/openapi.ts';
import { replicationPush } from '../../src/listeners/replication-api/push.ts';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { encodeBase64 } from '../../src/signing/base64.ts';
import { adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { type EngineName, temporaryFolder } from '../support/databases.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { freePort } from '../support/free-port.ts';
import { startHomeserver } from '../support/homeserver.ts';
import { get, postJson, request } from '../support/http.ts';
import { bind } from '../support/invitations.ts';
import { certificateFolder, introduce, replicationLines } from '../support/replicating-servers.ts';
import { SIGNING_KEY, startTestServer } from '../support/server.ts';
import { startOpenMarket } from '../support/sms.ts';
import { createTestCa } from '../support/tls.ts';
import { LONG } from './corpus.ts';
import { type Ledger, openLedger } from './ledger.ts';
import { type ListenerName, PEER, type Route } from './requests.ts';
import type { Target } from './wire.ts';

const USER = '@ada:nowhere.test';
const TERMS = 'https://id.test/terms.html';
const SECRET = 'secret';
const ROOT = '/_matrix/identity';

const LIMITS = ['email.ratelimit_sender', 'email.ratelimit_recipient'];
const SMS_LIMITS = ['msisdn.ratelimit', 'country.ratelimit'];
const withoutLimit = (names: readonly string[]) =>
  names.map((name) => `${name}.burst = 1000000`).join('\n');

/** A server with whatever an attacker may hope for: users, sessions, a peer, a homeserver. */
export interface World {
  readonly routes: readonly Route[];
  readonly targets: Readonly<Record<ListenerName, Target>>;
  readonly ledger: Ledger;
  readonly logs: readonly string[];
  /** The name of the one homeserver that can be reached. */
  readonly homeserver: string;
  /** Puts in what stands between braces. */
  fill(text: string): string;
  /** By which the homeserver signs a request. */
  sign(uri: string, body: string): string;
  /** What the admin API has to tell nobody, and its log neither. */
  secrets(): readonly string[];
  /** Lets operators in again who asked too often, or with wrong tokens. */
  forgetLimits(): Promise<void>;
  /** Gives the user a new access token, where the old one is no more. */
  renewToken(): Promise<void>;
  isHealthy(): Promise<boolean>;
  stop(): Promise<void>;
}

const routesOf = (listener: ListenerName, { paths }: ApiDescription): Route[] =>
  Object.entries(paths).flatMap(([at, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      listener,
      method: method.toUpperCase(),
      path: at,
      operation,
    })),
  );

const METRICS: Operation = {
  operationId: 'metrics',
  summary: '',
  tags: [],
  security: [],
  parameters: [],
  responses: {},
};

/** @param http further lines of its section */
export async function startWorld(engine: EngineName, http: string): Promise<World> {
  const ca = await createTestCa();
  const folder = await temporaryFolder();
  const dns = await startDnsServer();
  const sms = await startOpenMarket();
  const homeserver = await startHomeserver({ ca });
  // So that nothing changes afterwards of what a bind has stored.
  homeserver.script('/_matrix/federation/v1/3pid/onbind', (_request, response) =>
    response.writeHead(500).end(),
  );
  const certificate = await certificateFolder(ca, 'id.test');
  const replicationPort = await freePort();
  const termsFile = path.join(folder.path, 'terms.yaml');
  await writeFile(
    termsFile,
    `master_version: "1"\ndocs: {t: {version: "1", langs: {en: {name: Terms, url: "${TERMS}"}}}}\n`,
  );
  const server = await startTestServer({
    engine,
    trustedCa: ca.pem,
    smtp: {
      onRcptTo: ({ address }, _session, done) =>
        done(
          address.includes('refused')
            ? Object.assign(new Error('No'), { responseCode: 550 })
            : null,
        ),
    },
    sections: {
      general: [
        `terms.path = ${termsFile}`,
        `dns.servers = ${dns.address}`,
        'ip.blacklist = 0.0.0.0/0, ::/0',
        homeserver.reachable,
      ].join('\n'),
      email: withoutLimit(LIMITS),
      admin: WITH_ADMIN,
      sms: `${sms.config}\n${withoutLimit(SMS_LIMITS)}`,
      http: `${replicationLines(certificate.file, ca, replicationPort)}\n${http}`,
    },
  });
  await introduce(server, { name: PEER.name, publicKey: encodeBase64(PEER.pair.publicKey) });
  homeserver.openIdTokens.set('openid', `@ada:${homeserver.serverName}`);

  const v1 = `${server.url}${ROOT}/api/v1`;
  const mailedCode = async () =>
    /token=([A-Za-z0-9]+)/.exec((await server.smtp.nextMail()).parsed.text ?? '')?.[1] ?? '';
  const requestMail = async (email: string) => {
    const asked = { email, client_secret: SECRET, send_attempt: 1 };
    const { json } = await postJson(`${v1}/validate/email/requestToken`, asked);
    return { sid: json.sid as string, token: await mailedCode() };
  };
  const proven = await requestMail('ada@sample.test');
  const mailed = await requestMail('grace@sample.test');
  await postJson(`${v1}/validate/email/submitToken`, { ...proven, client_secret: SECRET });
  const phone = await postJson(`${v1}/validate/msisdn/requestToken`, {
    phone_number: '07700 900751',
    country: 'GB',
    client_secret: SECRET,
    send_attempt: 1,
  });
  await postJson(`${v1}/validate/msisdn/submitToken`, {
    sid: phone.json.sid,
    client_secret: SECRET,
    token: sms.lastCode(),
  });

  const access = await server.token(USER);
  const bearer = { authorization: `Bearer ${access}` };
  await request(`${server.url}${ROOT}/v2/terms`, {
    method: 'POST',
    headers: bearer,
    body: JSON.stringify({ user_accepts: [TERMS] }),
  });
  const invited = { medium: 'email', address: 'eve@sample.test', room_id: '!r', sender: USER };
  const { json: invitation } = await postJson(`${v1}/store-invite`, invited);
  const { raw } = await server.smtp.nextMail();
  const [, refusal = ''] = /refuse-invitations\?token=([\w-]+)/.exec(raw.toString()) ?? [];
  const { json: details } = await get(`${server.url}${ROOT}/v2/hash_details`, {}, access);
  for (const room of ['!a', '!b', '!c', '!d']) {
    const fay = { ...invited, address: 'fay@sample.test', room_id: room };
    await postJson(`${v1}/store-invite`, fay);
  }
  await bind(server, 'bound@sample.test', USER);
  await bind(server, 'owed@sample.test', `@ada:${homeserver.serverName}`);
  const file = server.config.files[0] ?? '';
  const operator = await createAdminToken(file, 'operator');
  const viewer = await createAdminToken(file, 'viewer');
  const admins = adminClient(server, operator.token);
  const { json: owed } = await admins.get('outbox/list');
  const { json: block } = await admins.post('limits/block', { whom: 'kept.out.test' });
  const live: Record<string, string> = {
    access,
    admin: operator.token,
    block: String(block.id),
    code: proven.token,
    hash: lookupHash('ada@sample.test', 'email', details.lookup_pepper),
    homeserver: homeserver.serverName,
    invite: invitation.token,
    mailed: mailed.sid,
    mailedcode: mailed.token,
    notice: String(
      owed.items.find((one: { address: string }) => one.address === 'owed@sample.test')?.id,
    ),
    openid: 'openid',
    pepper: details.lookup_pepper,
    phone: phone.json.sid,
    revocable: (await createAdminToken(file, 'viewer')).id,
    refusal,
    terms: TERMS,
    unwilling: await server.token('@eve:nowhere.test'),
    user: USER,
    validated: proven.sid,
    viewer: viewer.token,
  };

  const described = async (url: string) =>
    (await get(`${url}${ROOT}/openapi.json`)).json as ApiDescription;
  const admin = await admins.get('openapi.json');
  const replication = describeApi([{ root: '', style: 'v2', endpoints: [replicationPush] }], '');
  const peer = await ca.issue(PEER.name);
  const ledger = await openLedger(server.database);
  const { addresses } = server.app;
  const port = (listener: ListenerName) => addresses[listener]?.port ?? 0;
  return {
    routes: [
      ...routesOf('client', await described(server.url)),
      ...routesOf('internal', await described(server.internalUrl)),
      ...routesOf('replication', replication),
      ...routesOf('admin', admin.json),
      { listener: 'metrics', method: 'GET', path: '/metrics', operation: METRICS },
    ],
    targets: {
      admin: { port: port('admin') },
      client: { port: port('client') },
      internal: { port: port('internal') },
      metrics: { port: port('metrics') },
      replication: { port: port('replication'), tls: { ...peer, ca: ca.pem } },
    },
    ledger,
    logs: server.logs,
    homeserver: homeserver.serverName,
    fill: (text) =>
      text.replace(/\{([a-z]+)\}/g, (whole, name) => live[name] ?? LONG[name] ?? whole),
    sign(uri, body) {
      try {
        return homeserver.authorization({ uri, content: JSON.parse(body) });
      } catch {
        return 'X-Matrix nonsense';
      }
    },
    secrets: () => [
      ...['access', 'admin', 'viewer', 'unwilling', 'code', 'mailedcode', 'invite'].map(
        (name) => live[name] ?? '',
      ),
      SIGNING_KEY.split(' ')[2] ?? '',
    ],
    async forgetLimits() {
      server.clock.advance(10 * 60_000);
      if (engine === 'postgres') await server.database.execute('delete from cognomen_buckets');
      live['admin'] = (await createAdminToken(file, 'operator')).token;
      await ledger.changed();
    },
    async renewToken() {
      live['access'] = await server.token(USER);
    },
    async isHealthy() {
      const health = await get(`${server.url}/health`);
      return health.status === 200 && health.json.status === 'ok';
    },
    async stop() {
      await ledger.close();
      await server.stop();
      for (const part of [homeserver, sms, dns]) await part.close();
      for (const part of [certificate, folder, ca]) await part.remove();
    },
  };
}
