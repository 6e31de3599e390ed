import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { startApp } from '../src/app/app.ts';
import { loadConfig } from '../src/config/load.ts';
import { systemClock } from '../src/platform/clock.ts';
import { createLogger } from '../src/platform/logger.ts';
import { secureRandom } from '../src/platform/random.ts';
import { startHomeserver } from './homeserver.ts';
import { startMailbox } from './mailbox.ts';

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
};
// A mail is shown in a frame without rights; nothing comes from anywhere else.
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src *; frame-src 'self'";

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Starts a whole Cognomen in a temporary folder, a mailbox for its mails, and the page that shows both. */
export async function startDemo(): Promise<Demo> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'cognomen-demo-'));
  const mailbox = await startMailbox();
  const homeserver = await startHomeserver();
  const port = await freePort();
  const serverUrl = `http://${HOST}:${port}`;
  const file = path.join(folder, 'sydent.conf');
  await writeFile(
    file,
    `[general]
server.name = localhost
log.path = ${path.join(folder, 'cognomen.log')}
pidfile.path =
ip.whitelist = 127.0.0.1

[db]
db.file = ${path.join(folder, 'sydent.db')}

[http]
clientapi.http.bind_address = ${HOST}
clientapi.http.port = ${port}
client_http_base = ${serverUrl}
federation.verifycerts = false

[email]
email.from = Cognomen demo <noreply@localhost>
email.hostname = localhost
email.smtphost = ${HOST}
email.smtpport = ${mailbox.port}
email.ratelimit_sender.burst = 1000
`,
  );
  const { config } = await loadConfig({
    files: [file],
    env: {},
    hostname: 'localhost',
    random: secureRandom,
  });
  const logging = await createLogger(config.general.log, { clock: systemClock });
  const app = await startApp(config, { logger: logging.logger });

  const serveFile = async (url: string, response: ServerResponse) => {
    const known = FILES[url];
    if (known === undefined) return void response.writeHead(404).end('Nothing here');
    const text = await readFile(new URL(known.name, import.meta.url));
    response
      .writeHead(200, { 'content-type': known.type, 'content-security-policy': POLICY })
      .end(text);
  };
  const page = createServer((request, response) => {
    const url = request.url ?? '/';
    if (url === '/mails') return mailbox.stream(response);
    if (url === '/settings') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return void response.end(JSON.stringify({ serverUrl, openId: homeserver.openId }));
    }
    serveFile(url, response).catch(() => response.destroy());
  }).listen(0, HOST);
  await once(page, 'listening');
  const pageUrl = `http://${HOST}:${(page.address() as AddressInfo).port}/`;
  return {
    pageUrl,
    serverUrl,
    folder,
    async close() {
      page.close();
      page.closeAllConnections();
      await app.close();
      await mailbox.close();
      await homeserver.close();
      await logging.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
