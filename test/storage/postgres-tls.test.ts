import { chmod, chown, mkdir, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { DatabaseOpenError } from '../../src/storage/engines/engine.ts';
import { findWay } from '../../src/storage/engines/postgres/connecting.ts';
import { temporaryFolder } from '../support/databases.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';

import { createTestCa, type TestCa } from '../support/tls.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let authority: TestCa;
let stranger: TestCa;
let server: PostgresServer;
let port: string;
let sockets: string;
let certificate: string;

/** Who may come in which way; the first line that fits counts. */
const WHO = `
local   all  all                    trust
hostssl all  by_certificate  all    cert
hostssl all  tls_only        all    scram-sha-256
hostnossl all plain_only     all    scram-sha-256
hostssl all  plain_only      all    reject
host    all  tester          all    scram-sha-256
`;

async function onServer(...statements: string[]): Promise<Record<string, string>[]> {
  const client = new pg.Client(server.url);
  await client.connect();
  try {
    const rows: Record<string, string>[] = [];
    for (const statement of statements) rows.push(...(await client.query(statement)).rows);
    return rows;
  } finally {
    await client.end();
  }
}

/** Until it has read its settings again. */
async function untilTls(wanted: string): Promise<void> {
  while ((await onServer('show ssl'))[0]?.['ssl'] !== wanted);
}

/** A file of PostgreSQL's own. */
async function give(file: string, text: string, like: string): Promise<void> {
  const { uid, gid } = await stat(like);
  await writeFile(file, text, { mode: 0o600 });
  await chown(file, uid, gid);
}

beforeAll(async () => {
  folder = await temporaryFolder();
  authority = await createTestCa();
  stranger = await createTestCa();
  // Where PostgreSQL, who is somebody else, may make its socket.
  await chmod(folder.path, 0o755);
  sockets = path.join(folder.path, 's');
  await mkdir(sockets);
  await chmod(sockets, 0o777);
  server = await startPostgres({ settings: { unix_socket_directories: sockets } });
  ({ port } = new URL(server.url));
  const [row] = await onServer('show data_directory');
  const data = row?.['data_directory'] ?? '';
  const { cert, key } = await authority.issue('localhost');
  await give(path.join(data, 'server.crt'), cert, data);
  await give(path.join(data, 'server.key'), key, data);
  await give(path.join(data, 'ca.crt'), authority.pem, data);
  await give(path.join(data, 'pg_hba.conf'), WHO, data);
  await onServer(
    "alter system set ssl = 'on'",
    "alter system set ssl_ca_file = 'ca.crt'",
    "alter system set password_encryption = 'scram-sha-256'",
    'create role by_certificate login superuser',
    "create role tls_only login password 'secret'",
    "create role plain_only login password 'secret'",
    'select pg_reload_conf()',
  );
  const own = await authority.issue('by_certificate');
  certificate = path.join(folder.path, 'client.crt');
  await writeFile(certificate, own.cert);
  await writeFile(path.join(folder.path, 'client.key'), own.key, { mode: 0o600 });
  await untilTls('on');
});
afterAll(async () => {
  await server?.stop();
  await authority?.remove();
  await stranger?.remove();
  await folder.remove();
});

/** Connects as `db.url` says; what the server knows of the connection. @throws DatabaseOpenError */
async function connect(
  url: string,
): Promise<{ user: string; tls: boolean; subject: string | null }> {
  const text = `[db]\ndb.url = ${url.replaceAll('%', '%%')}\ndb.start_timeout = 30`;
  const { config } = parseConfig('sydent.conf', text, { env: {}, hostname: 'host.test' });
  if (config.db.engine !== 'postgres') throw new Error('It is no URL');
  const way = await findWay(pg, config.db, { logger: pino({ level: 'silent' }) });
  const client = new pg.Client(way.options as pg.ClientConfig);
  await client.connect();
  try {
    const { rows } = await client.query(
      'select current_user as user, ssl as tls, client_dn as subject from pg_stat_ssl where pid = pg_backend_pid()',
    );
    return rows[0];
  } finally {
    await client.end();
  }
}

const url = (parameters: string, { user = 'tls_only:secret', host = 'localhost' } = {}) =>
  `postgres://${user}@${host}:${port}/postgres${parameters === '' ? '' : `?${parameters}`}`;
const ca = () => `sslrootcert=${authority.file}`;

describe('TLS to PostgreSQL', () => {
  test.each([
    ['nothing said', () => '', 'tls_only:secret'],
    ['sslmode=prefer', () => 'sslmode=prefer', 'tls_only:secret'],
    ['sslmode=require, whoever it is', () => 'sslmode=require', 'tls_only:secret'],
    ['sslmode=require with its authority', () => `sslmode=require&${ca()}`, 'tls_only:secret'],
    ['sslmode=verify-ca', () => `sslmode=verify-ca&${ca()}`, 'tls_only:secret'],
    ['sslmode=verify-full', () => `sslmode=verify-full&${ca()}`, 'tls_only:secret'],
  ])('%s: it is used', async (_, parameters, user) => {
    const name = user.split(':')[0];
    expect(await connect(url(parameters(), { user }))).toMatchObject({ user: name, tls: true });
  });

  test('sslmode=disable: it is not used, though the server has it', async () => {
    const connected = await connect(url('sslmode=disable', { user: 'plain_only:secret' }));
    expect(connected).toMatchObject({ user: 'plain_only', tls: false });
  });

  test('verify-ca takes the certificate of another name, verify-full does not', async () => {
    const at = (mode: string) => url(`sslmode=${mode}&${ca()}`, { host: '127.0.0.1' });
    expect(await connect(at('verify-ca'))).toMatchObject({ tls: true });
    await expect(connect(at('verify-full'))).rejects.toThrow(/IP: 127\.0\.0\.1 is not in the cert/);
  });

  test.each(['require', 'verify-ca', 'verify-full'])(
    'sslmode=%s with another authority is refused',
    async (mode) => {
      const refused = connect(url(`sslmode=${mode}&sslrootcert=${stranger.file}`));
      await expect(refused).rejects.toThrow(/certificate signature failure/);
    },
  );

  test('verify-full and sslrootcert=system trust no authority that nobody knows', async () => {
    for (const parameters of ['sslmode=verify-full', 'sslrootcert=system']) {
      const refused = connect(url(parameters));
      await expect(refused).rejects.toThrow(DatabaseOpenError);
      await expect(refused).rejects.toThrow(
        /unable to verify|unable to get local issuer|self-signed/,
      );
    }
  });

  test('a client certificate is who the user is', async () => {
    const own = `sslcert=${certificate}&sslkey=${path.join(folder.path, 'client.key')}`;
    const connected = await connect(
      url(`sslmode=verify-full&${ca()}&${own}`, { user: 'by_certificate' }),
    );
    expect(connected).toEqual({ user: 'by_certificate', tls: true, subject: '/CN=by_certificate' });
    const without = connect(url(`sslmode=verify-full&${ca()}`, { user: 'by_certificate' }));
    await expect(without).rejects.toThrow(/requires a valid client certificate/);
  });

  test.each(['require', 'verify-ca', 'verify-full'])(
    'sslmode=%s does without TLS nowhere; prefer does',
    async (mode) => {
      await onServer("alter system set ssl = 'off'", 'select pg_reload_conf()');
      await untilTls('off');
      try {
        const user = { user: 'plain_only:secret' };
        await expect(connect(url(`sslmode=${mode}`, user))).rejects.toThrow(/does not support SSL/);
        expect(await connect(url('', user))).toMatchObject({ tls: false });
      } finally {
        await onServer("alter system set ssl = 'on'", 'select pg_reload_conf()');
        await untilTls('on');
      }
    },
  );

  test('a file that is not there is told', async () => {
    const refused = connect(url('sslmode=verify-full&sslrootcert=/nowhere/ca.pem'));
    await expect(refused).rejects.toThrow(/\/nowhere\/ca\.pem/);
  });
});

test('a server starts with a client certificate and sslrootcert=system, by the authorities of the system', async () => {
  const key = path.join(folder.path, 'client.key');
  const parameters = `sslrootcert=system&sslcert=${certificate}&sslkey=${key}`;
  await writeConfig(folder.path, {
    db: `db.url = ${url(parameters, { user: 'by_certificate' })}`,
  });
  const cognomen = spawnCognomen([], { cwd: folder.path, env: { SSL_CERT_FILE: authority.file } });
  try {
    await cognomen.untilLogged('Ready');
    expect(cognomen.log()).toContain('"tls":true');
  } finally {
    await cognomen.stop();
  }
});

test('a socket is used without TLS, whatever sslmode says', async () => {
  const connected = await connect(
    `postgres:///postgres?host=${sockets}&port=${port}&user=by_certificate&sslmode=verify-full`,
  );
  expect(connected).toMatchObject({ user: 'by_certificate', tls: false });
});
