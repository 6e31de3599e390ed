import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { postJson, request } from '../support/http.ts';
import { bind as bindInternally } from '../support/invitations.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';
import { startTestServer, type TestServer, type TestServerOptions } from '../support/server.ts';
import { type ReceivedMail, startSmtpServer } from '../support/smtp.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;
const ADA = '@ada:one.sample.test';
const EVE = '@eve:two.sample.test';

let ca: TestCa;
let homeserver: TestHomeserver;
let number = 0;
beforeAll(async () => {
  ca = await createTestCa();
  homeserver = await startHomeserver({ ca });
});
afterAll(async () => {
  await homeserver.close();
  await ca.remove();
});

const newAddress = () => `owner${++number}@sample.test`;

type Relay = Pick<TestServer['smtp'], 'mails'>;

/** What owners were told, without the mails by which addresses are proven. */
const noticesOf = ({ mails }: Relay, address?: string) =>
  mails.filter(
    ({ to, parsed }) =>
      !/submitToken/.test(parsed.text ?? '') && (address === undefined || to[0] === address),
  );

const linkIn = (mail: ReceivedMail | undefined) =>
  /token=([A-Za-z0-9]{32})/.exec(mail?.parsed.text ?? '')?.[1];

/** A session that has proven the address. */
async function prove(server: Pick<TestServer, 'url'> & { readonly smtp: Relay }, email: string) {
  const root = `${server.url}/_matrix/identity/api/v1/validate/email`;
  const client_secret = `secret${++number}`;
  const asked = await postJson(`${root}/requestToken`, { email, client_secret, send_attempt: 1 });
  expect(asked.status).toBe(200);
  const { sid } = asked.json;
  // The relay has it by then; others may come between.
  const token = linkIn(
    server.smtp.mails.findLast(({ parsed }) => parsed.text?.includes(client_secret)),
  );
  const proven = await postJson(`${root}/submitToken`, { sid, client_secret, token });
  expect(proven.json).toEqual({ success: true });
  return { sid, client_secret };
}

const bindBy = async (server: Pick<TestServer, 'url'>, proof: object, mxid: string) =>
  expect(
    (await postJson(`${server.url}/_matrix/identity/api/v1/3pid/bind`, { ...proof, mxid })).status,
  ).toBe(200);

const unbindBy = async (
  server: Pick<TestServer, 'url'>,
  proof: object,
  address: string,
  mxid: string,
) => {
  const body = { ...proof, mxid, threepid: { medium: 'email', address } };
  const url = `${server.url}/_matrix/identity/v2/3pid/unbind`;
  expect((await postJson(url, body)).status).toBe(200);
};

async function bind(server: TestServer, address: string, mxid: string) {
  const proof = await prove(server, address);
  await bindBy(server, proof, mxid);
  return proof;
}

const start = (more: TestServerOptions = {}, general = '') =>
  startTestServer({
    trustedCa: ca.pem,
    noticeTimings: { poll: 20 },
    sections: {
      general: `${homeserver.reachable}owner_notices = true\n${general}`,
      email: 'email.ratelimit_sender.burst = 1000',
    },
    ...more,
  });

/** Seen to be all: what is owed after them has come, and nothing waits that could be mailed now. */
async function settled(server: TestServer) {
  const last = newAddress();
  const proof = await bind(server, last, ADA);
  await unbindBy(server, proof, last, ADA);
  await expect.poll(() => noticesOf(server.smtp, last)).toHaveLength(1);
}

const waiting = async ({ database }: Pick<TestServer, 'database'>) =>
  (await database.execute('select * from cognomen_owner_notices')) as Record<string, unknown>[];

describe.each(ENGINES)('the owner of an address, on %s,', (engine) => {
  let server: TestServer;
  afterEach(() => server.stop());

  test('is told once when it is bound to another user, and by whom it can be found', async () => {
    server = await start({ engine }, 'operator.name = Example & Co');
    const address = newAddress();
    await bind(server, address, ADA);
    await bind(server, address.toUpperCase(), EVE);
    await expect.poll(() => noticesOf(server.smtp, address)).toHaveLength(1);
    await settled(server);
    const [mail] = noticesOf(server.smtp, address);
    expect(mail?.parsed.subject).toBe('Your email address now leads to another account');
    for (const text of [mail?.parsed.text, mail?.parsed.html || '']) {
      for (const part of [address, ADA, EVE, 'January 1, 2026 at 00:0', 'UTC', 'two.sample.test']) {
        expect(text).toContain(part);
      }
      expect(text).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
    }
    expect(mail?.parsed.text).toContain('Example & Co');
    expect(String(mail?.raw)).not.toMatch(/^List-/im);
    expect(await waiting(server)).toEqual([]);
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    expect(metrics).toMatch(
      /cognomen_messages_total\{medium="email",kind="owner-notice",outcome="sent"\} 2\n/,
    );
    const trace = () => runCommand('trace', address, '-c', server.config.files[0] ?? '');
    await expect.poll(async () => (await trace()).output).toContain('owner-notice handed over');
  });

  test('is told once when it is unbound, by an app or by the user’s homeserver', async () => {
    server = await start({ engine });
    const user = `@ada:${homeserver.serverName}`;
    const [byApp, byHomeserver] = [newAddress(), newAddress()];
    await unbindBy(server, await bind(server, byApp, user), byApp, user);
    await bind(server, byHomeserver, user);
    const uri = '/_matrix/identity/v2/3pid/unbind';
    const content = { threepid: { medium: 'email', address: byHomeserver }, mxid: user };
    const signed = await request(`${server.url}${uri}`, {
      method: 'POST',
      headers: { authorization: homeserver.authorization({ uri, content }) },
      body: JSON.stringify(content),
    });
    expect(signed.json).toEqual({});
    const text = async (address: string) => {
      await expect.poll(() => noticesOf(server.smtp, address)).toHaveLength(1);
      return noticesOf(server.smtp, address)[0]?.parsed.text ?? '';
    };
    expect(await text(byApp)).toMatch(/in an app(?:.|\n)*password of your mailbox/);
    expect(await text(byHomeserver)).toContain(
      `The server of that account, ${homeserver.serverName}`,
    );
    await settled(server);
    expect(noticesOf(server.smtp)).toHaveLength(3);
    // What is unbound already is unbound by nobody.
    await unbindBy(server, await prove(server, byApp), byApp, user);
    await settled(server);
    expect(noticesOf(server.smtp)).toHaveLength(4);
  });

  test('is told nothing of what operators do, nor of the same user', async () => {
    server = await start({ engine });
    const address = newAddress();
    await bind(server, address, ADA);
    await bind(server, address, ADA);
    await bindInternally(server, address, EVE);
    const file = server.config.files[0] ?? '';
    await runCommand('bind', address, '--mxid', ADA, '-c', file);
    await runCommand('unbind', address, '--mxid', ADA, '-c', file);
    await bindInternally(server, address, EVE);
    const internal = `${server.internalUrl}/_matrix/identity/internal/unbind`;
    await postJson(internal, { medium: 'email', address, mxid: EVE });
    await settled(server);
    expect(noticesOf(server.smtp, address)).toEqual([]);
    // Who it was bound to by an operator is told of what an app does all the same.
    await bindInternally(server, address, EVE);
    await bind(server, address, ADA);
    await expect.poll(() => noticesOf(server.smtp, address)).toHaveLength(1);
  });

  test('is told nothing where that is off, as it is where it is not set', async () => {
    server = await startTestServer({ engine, sections: { email: '' } });
    const address = newAddress();
    await bind(server, address, ADA);
    await bind(server, address, EVE);
    expect(await waiting(server)).toEqual([]);
    await server.restart();
    expect(noticesOf(server.smtp, address)).toEqual([]);
  });

  test('gets 3 mails a day, whatever the +tag; what comes then is told together, as soon as there is room', async () => {
    server = await start({ engine });
    const [name] = newAddress().split('@');
    const mailbox = `${name}@sample.test`;
    const tagged = `${name}+tag@sample.test`;
    const proof = await prove(server, mailbox);
    const ofTag = await bind(server, tagged, ADA);
    await bindBy(server, proof, ADA);
    const told = () => noticesOf(server.smtp).filter(({ to }) => to[0]?.startsWith(`${name}`));
    for (const [times, mxid] of [EVE, ADA].entries()) {
      await bindBy(server, proof, mxid);
      await expect.poll(told).toHaveLength(times + 1);
      server.clock.advance(HOUR);
    }
    await unbindBy(server, ofTag, tagged, ADA);
    await expect.poll(told).toHaveLength(3);
    for (const mxid of [EVE, ADA, EVE]) {
      server.clock.advance(HOUR);
      await bindBy(server, proof, mxid);
    }
    await settled(server);
    expect(told()).toHaveLength(3);
    // A restart gives no more room.
    await server.restart();
    await settled(server);
    expect(told()).toHaveLength(3);
    expect(await waiting(server)).toMatchObject([{ address: mailbox, changes: 3 }]);
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    expect(metrics).toContain('cognomen_owner_notices_waiting 1\n');
    server.clock.advance(DAY - 5 * HOUR);
    await expect.poll(told).toHaveLength(4);
    const text = told().at(-1)?.parsed.text;
    expect(text).toContain('the last of 3 changes');
    expect(text).toContain(EVE);
    await settled(server);
    expect(told()).toHaveLength(4);
    expect(await waiting(server)).toEqual([]);
  });

  test('is told as soon as the relay takes mails again; what has waited for a week is given up', async () => {
    server = await start({ engine });
    const [address, never] = [newAddress(), newAddress()];
    const proof = await bind(server, address, ADA);
    const other = await bind(server, never, ADA);
    server.smtp.refuse(451);
    await bindBy(server, proof, EVE);
    const attempts = async () => (await waiting(server))[0]?.['attempts'];
    for (const times of [1, 2, 3]) {
      await expect.poll(attempts).toBe(times);
      server.clock.advance(HOUR);
    }
    server.smtp.refuse(undefined);
    server.clock.advance(HOUR);
    await expect.poll(() => noticesOf(server.smtp, address)).toHaveLength(1);
    server.smtp.refuse(550);
    await bindBy(server, other, EVE);
    await expect.poll(attempts).toBe(1);
    server.clock.advance(7 * DAY + 1);
    await server.restart();
    await expect.poll(() => waiting(server)).toEqual([]);
    server.smtp.refuse(undefined);
    await settled(server);
    expect(noticesOf(server.smtp, never)).toEqual([]);
    expect(server.logs.join()).toContain('Gave up telling owners');
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    expect(metrics).toContain('kind="owner-notice",outcome="given-up"} 1');
  });

  test('is not told any more who was erased', async () => {
    server = await start({ engine });
    const address = newAddress();
    const proof = await bind(server, address, ADA);
    server.smtp.refuse(451);
    await bindBy(server, proof, EVE);
    await expect.poll(async () => (await waiting(server))[0]?.['attempts']).toBe(1);
    const file = server.config.files[0] ?? '';
    const kept = JSON.parse((await runCommand('export', address, '--json', '-c', file)).output);
    expect(kept).toMatchObject({ kept: { owner_notices: [{ mxid: ADA, new_mxid: EVE }] } });
    expect((await runCommand('erase', address, '--yes', '-c', file)).status).toBe(0);
    expect(await waiting(server)).toEqual([]);
    server.smtp.refuse(undefined);
    server.clock.advance(HOUR);
    await settled(server);
    expect(noticesOf(server.smtp, address)).toEqual([]);
  });

  test('sees made-up names as text', async () => {
    server = await start({ engine });
    const address = newAddress();
    const names = ['@<b>x</b>"&\u202e:two.sample.test', '@www.evil.com/a:two.sample.test'];
    await bind(server, address, names[0] ?? '');
    await bind(server, address, names[1] ?? '');
    await expect.poll(() => noticesOf(server.smtp, address)).toHaveLength(1);
    const [mail] = noticesOf(server.smtp, address);
    expect(mail?.parsed.html).toContain('@&lt;b&gt;x&lt;/b&gt;&#34;&amp;:two.sample.test');
    expect(mail?.parsed.text).toContain('@www evil com a two sample test');
    expect(mail?.parsed.text).not.toMatch(/\u202e|evil\.com/);
  });

  test('is told after all when the server was killed before', async () => {
    const database = await createDatabase(engine);
    const folder = await temporaryFolder();
    let isUp = false;
    const relay = await startSmtpServer({
      onMailFrom: (_address, _session, done) =>
        done(isUp ? undefined : Object.assign(new Error('not now'), { responseCode: 451 })),
    });
    server = await startTestServer();
    try {
      const { url } = await writeConfig(folder.path, {
        general: 'owner_notices = true\npidfile.path =',
        db: database.config,
        email: `email.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}\nemail.hostname = id.test`,
      });
      const address = newAddress();
      const first = spawnCognomen([], { cwd: folder.path });
      await first.untilLogged('Ready');
      isUp = true;
      const proof = await prove({ url, smtp: relay }, address);
      await bindBy({ url }, proof, ADA);
      isUp = false;
      await bindBy({ url }, proof, EVE);
      await first.stop('SIGKILL');
      expect(noticesOf(relay)).toEqual([]);
      isUp = true;
      const second = spawnCognomen([], { cwd: folder.path });
      await second.untilLogged('Ready');
      await expect.poll(() => noticesOf(relay, address), { timeout: 30_000 }).toHaveLength(1);
      await second.stop();
    } finally {
      await relay.close();
      await folder.remove();
      await database.drop();
    }
  }, 60_000);
});

describe.runIf(ENGINES.includes('postgres'))('of two servers on one PostgreSQL', () => {
  let database: TestDatabase;
  let nodes: TestServer[];
  afterEach(async () => {
    for (const node of nodes) await node.stop();
    await database.drop();
  });

  test('one mails each notice', async () => {
    database = await createDatabase('postgres');
    nodes = [await start({ database }), await start({ database })];
    const [one, other] = nodes as [TestServer, TestServer];
    const addresses = Array.from({ length: 12 }, newAddress);
    for (const address of addresses) {
      const proof = await bind(one, address, ADA);
      await bindBy(one, proof, EVE);
    }
    const all = () => nodes.flatMap(({ smtp }) => noticesOf(smtp)).map(({ to }) => to[0]);
    await expect.poll(() => all().length).toBe(addresses.length);
    await settled(one);
    await expect.poll(() => waiting(other)).toEqual([]);
    const told = all().filter((to) => addresses.includes(to ?? ''));
    expect(told.toSorted()).toEqual(addresses.toSorted());
  });
});
