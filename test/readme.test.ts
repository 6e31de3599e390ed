import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeBase64 } from '../src/signing/base64.ts';
import { verifySignedJson } from '../src/signing/signed-json.ts';
import { createDatabase, ENGINES, temporaryFolder } from './support/databases.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from './support/process.ts';
import { startSmtpServer } from './support/smtp.ts';

const run = promisify(execFile);
const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');

/** The commands of the walk-through, as they stand there. */
const commands = (/## Walk-through[\s\S]*?```sh\n([\s\S]*?)```/.exec(readme)?.[1] ?? '')
  .replaceAll('\\\n', ' ')
  .split('\n')
  .filter((line) => line.startsWith('curl '));

describe.each(ENGINES)('the walk-through of the README, on %s', (engine) => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let database: Awaited<ReturnType<typeof createDatabase>>;
  let relay: Awaited<ReturnType<typeof startSmtpServer>>;
  let server: ServerProcess;
  let ports: { client: number; internal: number };

  beforeAll(async () => {
    folder = await temporaryFolder();
    database = await createDatabase(engine);
    relay = await startSmtpServer();
    ({ ports } = await writeConfig(folder.path, {
      db: database.config,
      email: `email.from = a@id.test\nemail.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}`,
    }));
    server = spawnCognomen([], { cwd: folder.path });
    await server.untilLogged('Ready');
  });
  afterAll(async () => {
    await server.stop();
    await relay.close();
    await database.drop();
    await folder.remove();
  });

  test('does what it says', async () => {
    const values: Record<string, string> = {};
    const curl = async (command = '') => {
      const filled = command
        .replaceAll('localhost:8090', `127.0.0.1:${ports.client}`)
        .replaceAll('localhost:8091', `127.0.0.1:${ports.internal}`)
        .replace(/\$([A-Z]+)/g, (_match, name: string) => values[name] ?? '');
      const { stdout } = await run('sh', ['-c', `${filled} --silent --show-error`]);
      return JSON.parse(stdout);
    };
    const [request, submit, bind, lookup, pubkey, internal, ...more] = commands;
    expect(more).toEqual([]);

    const requested = await curl(request);
    expect(requested).toEqual({ success: true, sid: expect.any(String) });
    values['SID'] = requested.sid;
    const mail = await relay.nextMail();
    expect(mail.to).toEqual(['ada@example.org']);
    values['TOKEN'] = /token=([A-Za-z0-9]+)/.exec(mail.parsed.text ?? '')?.[1] ?? '';
    expect(await curl(submit)).toEqual({ success: true });
    const bound = await curl(bind);
    expect(bound).toMatchObject({ address: 'ada@example.org', mxid: '@ada:example.org' });
    expect(await curl(lookup)).toEqual(bound);
    const key = decodeBase64((await curl(pubkey)).public_key) ?? new Uint8Array();
    expect(verifySignedJson(bound, 'id.test', 'ed25519:0', key)).toBe(true);
    expect((await curl(internal)).mxid).toBe('@grace:example.org');
  });
});
