import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryFolder } from './databases.ts';
import { freePort } from './free-port.ts';

const PROGRAM = '/usr/sbin/pgbouncer';

/** Whether Debian's package is there. */
export const HAS_PGBOUNCER = existsSync(PROGRAM);

/**
 * A real PgBouncer before the database, which gives each transaction whatever session is free.
 * @param config a `[db]` section that leads to PostgreSQL
 */
export async function startPgBouncer(
  config: string,
): Promise<{ config: string; stop(): Promise<void> }> {
  const url = new URL(config.replace(/^db\.url = /, '').replaceAll('%%', '%'));
  const folder = await temporaryFolder();
  const port = await freePort();
  const users = path.join(folder.path, 'users.txt');
  const password = decodeURIComponent(url.password);
  await writeFile(users, `"${url.username}" "${password}"\n`);
  const database = url.pathname.slice(1);
  const settings = path.join(folder.path, 'pgbouncer.ini');
  await writeFile(
    settings,
    `[databases]
${database} = host=${url.hostname} port=${url.port} dbname=${database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = 3
logfile =
`,
  );
  // It refuses to run as root.
  const isRoot = process.getuid?.() === 0;
  const nobody = (await readFile('/etc/passwd', 'utf8')).match(/^nobody:[^:]*:(\d+):(\d+)/m);
  await chmod(folder.path, 0o755);
  const child = spawn(PROGRAM, [settings], {
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot && nobody ? { uid: Number(nobody[1]), gid: Number(nobody[2]) } : {}),
  });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      log += chunk;
      if (log.includes('process up')) resolve();
    });
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`PgBouncer did not start:\n${log}`)));
  });
  url.port = String(port);
  return {
    config: `db.url = ${url.href.replaceAll('%', '%%')}`,
    async stop() {
      child.removeAllListeners('exit');
      const gone = once(child, 'exit');
      child.kill('SIGINT');
      child.kill('SIGTERM');
      await gone;
      await folder.remove();
    },
  };
}
