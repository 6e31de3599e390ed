import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { generate } from 'selfsigned';
import { startHomeserver } from './homeserver.ts';
import { identityServer } from './identity-server.ts';
import { startMailbox } from './mailbox.ts';
import { addressOf, mxidOf, TAKEN_OVER, writeSydentDatabase } from './sydent-database.ts';

export interface Demo {
  readonly pageUrl: string;
  readonly serverUrl: string;
  readonly folder: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
const FILES: Readonly<Record<string, { name: string; type: string }>> = {
  '/': { name: 'page.html', type: 'text/html; charset=utf-8' },
  '/page.css': { name: 'page.css', type: 'text/css; charset=utf-8' },
  '/page.js': { name: 'page.js', type: 'text/javascript; charset=utf-8' },
  '/wire.js': { name: 'wire.js', type: 'text/javascript; charset=utf-8' },
};
// A mail is shown in a frame with no right but to open its links; nothing comes from anywhere else.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src *; frame-src 'self'; base-uri *";

/** Two ports, and not the same one twice: the first is held until the second is found. */
async function twoFreePorts(): Promise<readonly [number, number]> {
  const servers = [createServer().listen(0, HOST), createServer().listen(0, HOST)] as const;
  await Promise.all(servers.map((server) => once(server, 'listening')));
  const [one, other] = servers;
  const ports = [portOf(one), portOf(other)] as const;
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

const portOf = (server: Server) => (server.address() as AddressInfo).port;

/** A whole Cognomen in a temporary folder, two homeservers, a mailbox, and the page that shows them. */
export async function startDemo(): Promise<Demo> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-demo-'));
  const readers = new Set<ServerResponse>();
  /** Shows that on every page that is open. */
  const tell = (event: 'mail' | 'bound' | 'said', content: unknown) => {
    for (const reader of readers) {
      reader.write(`event: ${event}\ndata: ${JSON.stringify(content)}\n\n`);
    }
  };

  const mailbox = await startMailbox((mail) => tell('mail', mail));
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }]);
  const homeserverOf = (user: string) =>
    startHomeserver({
      user,
      tls: { key, cert },
      onBound: (notice) => tell('bound', { user, notice }),
    });
  const [ada, grace] = [await homeserverOf('ada'), await homeserverOf('grace')];
  const [port, adminPort] = await twoFreePorts();
  const serverUrl = `http://${HOST}:${port}`;

  const page = createServer((request, response) => {
    answer(request, response).catch((error) => {
      response.writeHead(500, { 'content-type': 'text/plain' }).end(String(error));
    });
  }).listen(0, HOST);
  await once(page, 'listening');
  const pageUrl = `http://${HOST}:${portOf(page)}`;

  const database = path.join(folder, 'sydent.db');
  const configFile = path.join(folder, 'sydent.conf');
  await writeFile(
    configFile,
    `[general]
server.name = localhost
pidfile.path =
ip.whitelist = 127.0.0.1
limits.enforce = true
self_service.enabled = true

[db]
db.file = ${database}

[http]
clientapi.http.bind_address = ${HOST}
clientapi.http.port = ${port}
client_http_base = ${serverUrl}
federation.verifycerts = false
page.ask_before_validation = true

[admin]
admin.http.bind_address = ${HOST}
admin.http.port = ${adminPort}

[email]
email.from = Cognomen demo <noreply@localhost>
email.hostname = localhost
email.smtphost = ${HOST}
email.smtpport = ${mailbox.port}
email.default_web_client_location = ${pageUrl}
email.ratelimit_sender.burst = 1000

[crypto]
ed25519.signingkey = ed25519 0 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1
`,
  );
  const server = identityServer(configFile, (line) => tell('said', line));

  const consoleAccess = async () => ({
    url: `http://${HOST}:${adminPort}/`,
    token: await server.consoleToken(),
  });

  async function removeDatabase(): Promise<void> {
    await server.kill();
    const files = (await readdir(folder)).filter((name) => name.startsWith('sydent.db'));
    await Promise.all(files.map((name) => rm(path.join(folder, name))));
  }

  const acts: Readonly<Record<string, () => Promise<object>>> = {
    /** A story of its own, with an empty database. */
    async '/begin'() {
      await removeDatabase();
      grace.isAway = false;
      await server.start();
      const people = [ada, grace].map(({ mxid, openId }) => ({ mxid, openId }));
      return { serverUrl, people, console: await consoleAccess() };
    },
    async '/kill'() {
      await server.kill();
      return {};
    },
    async '/start'() {
      await server.start();
      return {};
    },
    async '/grace-is-away'() {
      grace.isAway = true;
      return {};
    },
    async '/grace-is-back'() {
      grace.isAway = false;
      return {};
    },
    /** The same server on a database as Sydent leaves it. */
    async '/take-over'() {
      await removeDatabase();
      await writeSydentDatabase(database);
      await server.start();
      return {
        bindings: TAKEN_OVER,
        address: addressOf(TAKEN_OVER),
        mxid: mxidOf(TAKEN_OVER),
        console: await consoleAccess(),
      };
    },
  };
  /** One after the other, whoever asks. */
  let acting: Promise<unknown> = Promise.resolve();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = request.url?.split('?')[0] ?? '/';
    if (url === '/events') {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write(': here they come\n\n');
      readers.add(response);
      response.on('close', () => readers.delete(response));
      return;
    }
    const act = acts[url];
    if (act !== undefined && request.method === 'POST') {
      // Another page in the same browser is not to play with it.
      if (request.headers.origin !== pageUrl) return void response.writeHead(403).end();
      const acted = acting.then(act);
      acting = acted.catch(() => {});
      const content = await acted;
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(content));
      return;
    }
    const known = FILES[url];
    if (known === undefined) return void response.writeHead(404).end('Nothing here');
    const text = await readFile(new URL(known.name, import.meta.url));
    response
      .writeHead(200, { 'content-type': known.type, 'content-security-policy': POLICY })
      .end(text);
  }

  return {
    pageUrl: `${pageUrl}/`,
    serverUrl,
    folder,
    async close() {
      page.close();
      page.closeAllConnections();
      await acting;
      await server.kill();
      await mailbox.close();
      await Promise.all([ada.close(), grace.close()]);
      await rm(folder, { recursive: true, force: true });
    },
  };
}
