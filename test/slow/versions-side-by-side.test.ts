import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, symlink } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import {
  createDatabase,
  ENGINES,
  type TestDatabase,
  temporaryFolder,
} from '../support/databases.ts';
import { configOf } from '../support/earlier-database.ts';
import { beginBeside } from '../support/peppers.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { startSmtpServer, type TestRelay } from '../support/smtp.ts';
import { askAnew } from '../support/workers.ts';

/** The version that a node is upgraded from. */
const LANDED = 'eef7860';
const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const TOKEN = 'a-token-as-sydent-wrote-it';
const USER = '@ada:sample.test';

/** Whether the history has it: a clone may be of the newest version alone. */
function hasLanded(): boolean {
  try {
    execFileSync('git', ['cat-file', '-e', `${LANDED}^{commit}`], { cwd: ROOT, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

describe.runIf(ENGINES.includes('postgres') && hasLanded())(
  'the version before and this one, on one database,',
  () => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let database: TestDatabase;
    let relay: TestRelay;
    let before: ChildProcess;
    let after: ServerProcess;
    /** Their addresses, the older one's first. */
    let nodes: { url: string; internalUrl: string }[];
    let startBefore: () => Promise<{ output: string; isReady: boolean }>;

    beforeAll(async () => {
      folder = await temporaryFolder();
      database = await createDatabase('postgres');
      relay = await startSmtpServer();
      const [landed, old, fresh] = ['landed', 'old', 'new'].map((name) =>
        path.join(folder.path, name),
      );
      for (const each of [landed, old, fresh]) await mkdir(each ?? '');
      // By an index of its own: this folder's is left alone.
      const env = { ...process.env, GIT_INDEX_FILE: path.join(folder.path, 'index') };
      const parts = ['src', 'res', 'package.json'];
      await promisify(execFile)(
        'git',
        ['--work-tree', landed ?? '', 'checkout', LANDED, '--', ...parts],
        { cwd: ROOT, env },
      );
      await symlink(path.join(ROOT, 'node_modules'), path.join(landed ?? '', 'node_modules'));
      const sections = {
        db: database.config,
        email: `email.from = a@id.test\nemail.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}`,
      };
      nodes = [await writeConfig(old ?? '', sections), await writeConfig(fresh ?? '', sections)];
      startBefore = async () => {
        before = spawn(process.execPath, [path.join(landed ?? '', 'src', 'main.ts')], {
          cwd: old,
          stdio: ['ignore', 'pipe', 'pipe'],
          env: { PATH: process.env['PATH'] ?? '' },
        });
        let output = '';
        const isReady = await new Promise<boolean>((resolve) => {
          const collect = (chunk: Buffer) => {
            output += chunk;
            if (output.includes('Ready')) resolve(true);
          };
          before.stdout?.on('data', collect);
          before.stderr?.on('data', collect);
          before.once('close', () => resolve(false));
        });
        return { output, isReady };
      };
      const started = await startBefore();
      expect(started.isReady, started.output).toBe(true);
      await database.execute('insert into accounts (user_id, created_ts) values (?, 0)', [USER]);
      await database.execute('insert into tokens (token, user_id) values (?, ?)', [TOKEN, USER]);
      after = spawnCognomen([], { cwd: fresh ?? '' });
      await after.untilLogged('Ready');
    });
    afterAll(async () => {
      if (before.exitCode === null && before.signalCode === null) {
        before.kill('SIGKILL');
        await once(before, 'exit');
      }
      await after.stop();
      await relay.close();
      await database.drop();
      await folder.remove();
    });

    const root = (node: number) => `${nodes[node]?.url}/_matrix/identity`;
    const post = (node: number, where: string, body: object) =>
      askAnew(root(node) + where, { method: 'POST', body, token: TOKEN });
    const internal = (node: number, what: string, address: string, mxid: string) =>
      askAnew(`${nodes[node]?.internalUrl}/_matrix/identity/internal/${what}`, {
        method: 'POST',
        body: { medium: 'email', address, mxid },
      });
    async function found(node: number, address: string): Promise<(string | undefined)[]> {
      const { lookup_pepper: pepper } = (
        await askAnew(`${root(node)}/v2/hash_details`, { token: TOKEN })
      ).json;
      const hash = lookupHash(address, 'email', pepper);
      const body = { addresses: [hash], algorithm: 'sha256', pepper };
      const { mappings } = (await post(node, '/v2/lookup', body)).json;
      const query = new URLSearchParams({ medium: 'email', address });
      const { json } = await askAnew(`${root(node)}/api/v1/lookup?${query}`);
      return [mappings[hash], json.mxid];
    }

    test('what either binds and unbinds, both find, at once', async () => {
      for (let turn = 0; turn < 20; turn++) {
        const address = `a${turn}@sample.test`;
        expect((await internal(turn % 2, 'bind', address, USER)).status).toBe(200);
        for (const node of [0, 1]) expect(await found(node, address)).toEqual([USER, USER]);
        if (turn % 4 > 1) continue;
        expect((await internal(1 - (turn % 2), 'unbind', address, USER)).status).toBe(200);
        for (const node of [0, 1])
          expect(await found(node, address)).toEqual([undefined, undefined]);
      }
    });

    test('a flow goes from either to the other at each step', async () => {
      for (const first of [0, 1]) {
        const email = `flow${first}@sample.test`;
        const who = { client_secret: 'secret', email, send_attempt: 1 };
        const { sid } = (await post(first, '/v2/validate/email/requestToken', who)).json;
        const { parsed } = await relay.nextMail();
        const token = /token=([^&\s]+)/.exec(parsed.text ?? '')?.[1];
        const proof = { sid, client_secret: 'secret' };
        const submitted = await post(1 - first, '/v2/validate/email/submitToken', {
          ...proof,
          token,
        });
        expect(submitted.json).toEqual({ success: true });
        expect((await post(first, '/v2/3pid/bind', { ...proof, mxid: USER })).status).toBe(200);
        for (const node of [0, 1]) expect(await found(node, email)).toEqual([USER, USER]);
      }
    });

    test('the pepper is not rotated beside the older one', async () => {
      expect((await internal(0, 'bind', 'seen@sample.test', USER)).status).toBe(200);
      expect(await beginBeside(configOf(database))).toEqual({ outcome: 'older-nodes' });
    });

    test('were it rotated, what the older one binds and unbinds has its hash by each pepper', async () => {
      const [number, pepper] = [1, 'a-pepper-that-the-older-one-does-not-know'];
      const HOUR = 60 * 60 * 1000;
      const peppers = {
        current: { number, pepper },
        next: { number: 2, pepper: 'to-come', begun: Date.now() },
        former: [{ number: 0, until: Date.now() + HOUR }],
        gone: [],
      };
      await database.execute(
        "insert into cognomen_state (key, value) values ('lookup_peppers', ?)",
        [JSON.stringify(peppers)],
      );
      const hashes = async () =>
        (await database.execute(
          'select pepper, lookup_hash as hash from cognomen_rotated_keys order by pepper',
        )) as object[];
      const address = 'rötated+/@sample.test';
      const expected = [
        { pepper: 1, hash: lookupHash(address, 'email', pepper) },
        { pepper: 2, hash: lookupHash(address, 'email', 'to-come') },
      ];
      for (const node of [0, 1]) {
        expect((await internal(node, 'bind', address, USER)).status).toBe(200);
        expect(await hashes()).toEqual(expected);
        const body = { addresses: [expected[0]?.hash], algorithm: 'sha256', pepper };
        const { mappings } = (await post(1, '/v2/lookup', body)).json;
        expect(Object.values(mappings)).toEqual([USER]);
        expect((await internal(0, 'unbind', address, USER)).status).toBe(200);
        expect(await hashes()).toEqual([]);
      }
      await database.execute("delete from cognomen_state where key = 'lookup_peppers'");
    });

    test('one that logs out on the older is logged out on the newer', async () => {
      expect((await post(0, '/v2/account/logout', {})).status).toBe(200);
      for (const node of [0, 1]) {
        expect((await askAnew(`${root(node)}/v2/account`, { token: TOKEN })).status).toBe(401);
      }
    });

    test('the older one, which does not know of the promise, runs on but does not start again', async () => {
      before.kill('SIGTERM');
      await once(before, 'exit');
      const again = await startBefore();
      expect(again).toMatchObject({ isReady: false });
      expect(again.output).toContain('The database was used by a newer version');
    });
  },
);
