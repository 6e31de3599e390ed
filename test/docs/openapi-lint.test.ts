import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { temporaryFolder } from '../support/databases.ts';
import { get } from '../support/http.ts';
import { startTestServer } from '../support/server.ts';

const REDOCLY = fileURLToPath(
  new URL('../../node_modules/@redocly/cli/bin/cli.js', import.meta.url),
);

test('redocly finds no error in any description', async () => {
  const server = await startTestServer({ now: Date.now(), sections: { admin: WITH_ADMIN } });
  const folder = await temporaryFolder();
  try {
    const { token } = await createAdminToken(server.config.files[0] ?? '', 'viewer');
    const descriptions = {
      client: await get(`${server.url}/_matrix/identity/openapi.json`),
      internal: await get(`${server.internalUrl}/_matrix/identity/openapi.json`),
      admin: await adminClient(server, token).get('openapi.json'),
    };
    const files = Object.keys(descriptions).map((name) => path.join(folder.path, `${name}.json`));
    for (const [index, { text }] of Object.values(descriptions).entries()) {
      await writeFile(files[index] ?? '', text);
    }
    const env = {
      PATH: process.env['PATH'],
      REDOCLY_TELEMETRY: 'off',
      REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true',
    };
    const rules = ['no-ambiguous-paths', 'no-server-example.com', 'operation-4xx-response'];
    const skipped = rules.flatMap((rule) => ['--skip-rule', rule]);
    for (const file of files) {
      const linted = await promisify(execFile)(
        process.execPath,
        [REDOCLY, 'lint', '--format', 'json', ...skipped, file],
        { env, cwd: folder.path },
      ).catch((error: { stdout: string }) => error);
      const { problems, totals } = JSON.parse(linted.stdout);
      expect([file, problems, totals]).toEqual([
        file,
        [],
        expect.objectContaining({ errors: 0, warnings: 0 }),
      ]);
    }
  } finally {
    await server.stop();
    await folder.remove();
  }
});
