import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadConfig, readConfig } from '../../src/config/load.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { temporaryFolder } from '../support/databases.ts';
import { type ServerProcess, spawnCognomen } from '../support/process.ts';
import { startReplicatingServer } from '../support/replicating-servers.ts';
import { SIGNING_KEY } from '../support/server.ts';
import { createTestCa } from '../support/tls.ts';

const KEYED = `[crypto]\ned25519.signingkey = ${SIGNING_KEY}\n`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;
beforeEach(async () => {
  folder = await temporaryFolder();
  file = path.join(folder.path, 'sydent.conf');
});
afterEach(() => folder.remove());

const environment = { env: {}, hostname: 'host.test' };
const exposed = ({ warnings }: { warnings: readonly string[] }) =>
  warnings.filter((warning) => /every user of this machine/.test(warning));
const load = async () =>
  exposed(await loadConfig({ files: [file], random: secureRandom, ...environment }));
const check = async () => exposed(await readConfig([file], environment));

/** Writes it with exactly that mode, whatever the umask. */
async function write(name: string, text: string, mode: number): Promise<string> {
  const written = path.join(folder.path, name);
  await writeFile(written, text);
  await chmod(written, mode);
  return written;
}

describe('a file with a key in it that everybody can read is warned about', () => {
  test.each([0o644, 0o604, 0o444])('the configuration, of mode %o', async (mode) => {
    await write('sydent.conf', KEYED, mode);
    for (const warnings of [await load(), await check()]) {
      expect(warnings).toEqual([
        expect.stringMatching(/^\[crypto\] ed25519\.signingkey: .*chmod o=/),
      ]);
      expect(warnings.join()).toContain(file);
      expect(warnings.join()).not.toContain(SIGNING_KEY.split(' ')[2]);
    }
  });

  test.each([0o600, 0o640, 0o660, 0o400])('not one of mode %o', async (mode) => {
    await write('sydent.conf', KEYED, mode);
    expect([...(await load()), ...(await check())]).toEqual([]);
  });

  test('the certificate for peers', async () => {
    const pem = await write('peer.pem', 'key and certificate', 0o644);
    await write('sydent.conf', `${KEYED}[http]\nreplication.https.certfile = ${pem}\n`, 0o600);
    const expected = [expect.stringMatching(/^\[http\] replication\.https\.certfile: .*peer\.pem/)];
    expect(await load()).toEqual(expected);
    expect(await check()).toEqual(expected);
    await chmod(pem, 0o640);
    expect([...(await load()), ...(await check())]).toEqual([]);
  });

  test('the key for PostgreSQL', async () => {
    const key = await write('pg.key', 'key', 0o644);
    const url = `postgres://u:secret@h/d?sslmode=verify-full&sslkey=${key}`;
    await write('sydent.conf', `${KEYED}[db]\ndb.url = ${url}\n`, 0o600);
    const [warning, ...more] = await load();
    expect(more).toEqual([]);
    expect(warning).toMatch(/^\[db\] db\.url: .*pg\.key/);
    expect(warning).not.toContain('secret');
    await chmod(key, 0o600);
    expect(await load()).toEqual([]);
  });

  test('not a configuration without a key: a start takes others’ rights from it', async () => {
    await write('sydent.conf', '[general]\nserver.name = id.test\n', 0o644);
    expect(await check()).toEqual([]);
    expect(await load()).toEqual([]);
    expect(await check()).toEqual([]);
  });

  test('by check-config', async () => {
    await write('sydent.conf', KEYED, 0o644);
    const command: ServerProcess = spawnCognomen(['check-config', '--offline', '-c', file], {
      cwd: folder.path,
      env: {},
    });
    await command.ended;
    expect(command.log()).toMatch(/warning: \[crypto\] .*every user of this machine can read/);
  });

  test('a certificate that is read again', async () => {
    const ca = await createTestCa();
    const server = await startReplicatingServer(ca, 'id.test');
    try {
      const warned = () => server.logs.filter((line) => line.includes('every user of this'));
      await chmod(server.certFile, 0o600);
      await server.app.reload();
      const before = warned().length;
      await chmod(server.certFile, 0o644);
      await server.app.reload();
      expect(warned().slice(before)).toEqual([expect.stringContaining(server.certFile)]);
    } finally {
      await server.stop();
      await ca.remove();
    }
  });
});
