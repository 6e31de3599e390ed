import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import { createDatabase, ENGINES, temporaryFolder } from '../support/databases.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { type Shell, startShell } from '../support/shell.ts';
import { startSmtpServer } from '../support/smtp.ts';

const walkThrough = await readFile(new URL('../../docs/walk-through.md', import.meta.url), 'utf8');
/** The blocks of the walk-through, as one would copy them. */
const blocks = [...walkThrough.matchAll(/```sh\n([\s\S]*?)\n```/g)].map(([, block]) => block ?? '');

const CURL_STAND_IN = fileURLToPath(new URL('../support/curl.ts', import.meta.url));
/** Each answer on a line of its own; and some machines have no curl. */
const CURL = `curl() {
  if [ -x /usr/bin/curl ]; then /usr/bin/curl --silent --show-error "$@"
  else '${process.execPath}' '${CURL_STAND_IN}' "$@"; fi
  echo
}`;

const CASES = ENGINES.flatMap((engine) =>
  // What an existing configuration has by default, and what a first start writes.
  ['report', 'true'].map((enforce) => ({ engine, enforce })),
);

describe.each(CASES)(
  'the walk-through with curl, pasted, on $engine with limits.enforce = $enforce',
  ({ engine, enforce }) => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let database: Awaited<ReturnType<typeof createDatabase>>;
    let relay: Awaited<ReturnType<typeof startSmtpServer>>;
    let server: ServerProcess;
    let shell: Shell;
    let ports: { client: number; internal: number };

    beforeAll(async () => {
      folder = await temporaryFolder();
      database = await createDatabase(engine);
      relay = await startSmtpServer();
      ({ ports } = await writeConfig(folder.path, {
        general: `limits.enforce = ${enforce}`,
        db: database.config,
        email: `email.from = a@id.test\nemail.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}`,
      }));
      server = spawnCognomen([], { cwd: folder.path });
      await server.untilLogged('Ready');
      shell = startShell();
      await shell.paste(CURL);
    });
    afterAll(async () => {
      await shell.end();
      await server.stop();
      await relay.close();
      await database.drop();
      await folder.remove();
    });

    /** Pastes a block, and types what it reads; the answers it got. */
    const paste = async (block = '', typed = '') => {
      const here = block
        .replaceAll('localhost:8090', `127.0.0.1:${ports.client}`)
        .replaceAll('localhost:8091', `127.0.0.1:${ports.internal}`);
      const lines = await shell.paste(here, typed);
      return lines.map((line) => JSON.parse(line));
    };

    test('does what it says', async () => {
      const [request, read, submitAndBind, lookUp, internal, ...more] = blocks;
      expect(more).toEqual([]);

      const [requested] = await paste(request);
      expect(requested).toEqual({ success: true, sid: expect.any(String) });
      const mail = await relay.nextMail();
      expect(mail.to).toEqual(['ada@example.org']);
      const token = /token=([A-Za-z0-9]+)/.exec(mail.parsed.text ?? '')?.[1];
      expect(await paste(read, `${requested.sid} ${token}\n`)).toEqual([]);

      const [submitted, bound] = await paste(submitAndBind);
      expect(submitted).toEqual({ success: true });
      expect(bound).toMatchObject({ address: 'ada@example.org', mxid: '@ada:example.org' });

      const [found, { public_key }] = await paste(lookUp);
      expect(found).toEqual(bound);
      const key = decodeBase64(public_key) ?? new Uint8Array();
      expect(verifySignedJson(bound, 'id.test', 'ed25519:0', key)).toBe(true);

      const [boundWithoutProof] = await paste(internal);
      expect(boundWithoutProof.mxid).toBe('@grace:example.org');
    });
  },
);
