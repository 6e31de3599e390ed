import { readFile, stat, writeFile } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { startDatabaseProxy } from '../support/database-proxy.ts';
import { createDatabase, temporaryFolder } from '../support/databases.ts';
import { get } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { bind, lookup } from '../support/replicating-servers.ts';
import { SERVER_NAME } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
const running: ServerProcess[] = [];
beforeEach(async () => {
  folder = await temporaryFolder();
});
afterEach(async () => {
  for (const one of running.splice(0)) await one.stop('SIGKILL');
  await folder.remove();
});

function spawn(...args: string[]): ServerProcess {
  const one = spawnCognomen(args, { cwd: folder.path });
  running.push(one);
  return one;
}

async function key(...args: string[]) {
  const command = spawn('key', ...args);
  return { status: await command.ended, output: command.log() };
}

const listed = async () =>
  (
    JSON.parse((await key('list', '--json')).output) as {
      id: string;
      public_key: string;
      use: string;
    }[]
  ).map(({ public_key: publicKey, ...key }) => ({ ...key, publicKey }));

describe('cognomen key', () => {
  test('rotates the key of a running server; what the former one signed stays valid', async () => {
    const { file, url, internalUrl } = await writeConfig(folder.path);
    const server = spawn();
    await server.untilLogged('Ready');
    const [former] = await listed();
    await bind({ internalUrl }, 'ada@sample.test', '@ada:sample.test');

    const { status, output } = await key('rotate');
    expect(status).toBe(0);
    const [now, before] = await listed();
    expect(before).toMatchObject({ ...former, use: 'signs invitations of its time' });
    for (const shown of [now?.id, now?.publicKey, former?.publicKey, 'kill -HUP']) {
      expect(output).toContain(shown);
    }
    const text = await readFile(file, 'utf8');
    const seeds = [...text.matchAll(/ed25519 \w+ (\S+)/g)].map(([, seed]) => String(seed));
    expect(seeds).toHaveLength(2);
    for (const seed of seeds) expect(output).not.toContain(seed);

    const served = async (id = '') =>
      (await get(`${url}/_matrix/identity/v2/pubkey/${encodeURIComponent(id)}`)).json;
    expect(await served(now?.id)).toMatchObject({ errcode: 'M_NOT_FOUND' });
    server.child.kill('SIGHUP');
    await server.untilLogged('Other signing keys are in force');
    expect(await served(now?.id)).toEqual({ public_key: now?.publicKey });
    expect(await served(former?.id)).toEqual({ public_key: former?.publicKey });

    await bind({ internalUrl }, 'bob@sample.test', '@bob:sample.test');
    for (const [address, by] of [
      ['ada@sample.test', former],
      ['bob@sample.test', now],
    ] as const) {
      const publicKey = decodeBase64(by?.publicKey ?? '') ?? new Uint8Array();
      const found = (await lookup({ url }, address)) as object;
      expect(verifySignedJson(found, SERVER_NAME, by?.id ?? '', publicKey)).toBe(true);
    }

    // Again: both are kept.
    expect((await key('rotate')).status).toBe(0);
    expect((await listed()).slice(1).map(({ id }) => id)).toEqual([now?.id, former?.id]);
  });

  test('stays with its keys when the configuration is faulty at SIGHUP', async () => {
    const { file, url } = await writeConfig(folder.path);
    const server = spawn();
    await server.untilLogged('Ready');
    const [own] = await listed();
    const good = await readFile(file, 'utf8');
    for (const faulty of [
      good.replace(/(ed25519\.signingkey = ).*/, '$1ed25519 x short'),
      good.replace(/ed25519\.signingkey = .*/, ''),
    ]) {
      await writeFile(file, faulty);
      const before = server.log().length;
      server.child.kill('SIGHUP');
      await expect
        .poll(() => server.log().slice(before))
        .toMatch(/ed25519\.signingkey|no signing key/);
      expect((await get(`${url}/_matrix/identity/v2/pubkey/${own?.id}`)).json).toEqual({
        public_key: own?.publicKey,
      });
    }
  });

  test('an old key is listed as it is, whatever other key has its version', async () => {
    const { file } = await writeConfig(folder.path);
    const old = `${'A'.repeat(42)}E`;
    const text = await readFile(file, 'utf8');
    await writeFile(
      file,
      text.replace(/(ed25519\.signingkey = .*\n)/, `$1ed25519.old_keys = ed25519 0 ${old}\n`),
    );
    expect((await listed()).map(({ publicKey }) => publicKey)).toContain(old);
  });

  test('a key that was changed during the start is in force when it is done', async () => {
    const database = await createDatabase('postgres');
    const proxy = await startDatabaseProxy(database.config);
    try {
      proxy.cut();
      const { url } = await writeConfig(folder.path, { db: proxy.config });
      const server = spawn();
      await server.untilLogged('Waiting');
      await key('rotate');
      const [now] = await listed();
      server.child.kill('SIGHUP');
      await server.untilLogged('Reopened the log');
      proxy.restore();
      await server.untilLogged('Ready');
      expect((await get(`${url}/_matrix/identity/v2/pubkey/${now?.id}`)).json).toEqual({
        public_key: now?.publicKey,
      });
    } finally {
      for (const one of running.splice(0)) await one.stop('SIGKILL');
      await proxy.close();
      await database.drop();
    }
  });

  test('a key that cannot be changed in its place is left alone, and so is a file without one', async () => {
    const { file } = await writeConfig(folder.path);
    const good = await readFile(file, 'utf8');
    for (const text of [
      good.replace(/(ed25519\.signingkey =) (\S+) (\S+) (\S+)/, '$1\n  $2\n  $3\n  $4'),
      good.replace(/ed25519\.signingkey = .*/, ''),
    ]) {
      await writeFile(file, text);
      expect(await key('rotate')).toMatchObject({
        status: 1,
        output: expect.stringMatching(/yourself|no signing key yet/),
      });
      expect(await readFile(file, 'utf8')).toBe(text);
    }
  });

  test('the file keeps its rights, without those of others', async () => {
    const { file } = await writeConfig(folder.path);
    const { mode } = await stat(file);
    await key('rotate');
    expect((await stat(file)).mode & 0o777).toBe(mode & 0o770);
  });

  test.each([[[]], [['dance']], [['rotate', '--json']], [['list', 'all']]])(
    '%j is not understood',
    async (args) => {
      await writeConfig(folder.path);
      expect(await key(...args)).toMatchObject({
        status: 2,
        output: expect.stringContaining('cognomen key rotate'),
      });
    },
  );
});
