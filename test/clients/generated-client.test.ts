import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { get } from '../support/http.ts';
import { bind } from '../support/invitations.ts';
import { startTestServer } from '../support/server.ts';

const FOLDER = fileURLToPath(new URL('../../tools/generated-client/', import.meta.url));
/** Runs a program of a package as the folder finds it: npm puts packages where there is room for their version. */
function run(name: string, script: string, ...args: string[]) {
  const found = findPackageJSON(name, pathToFileURL(path.join(FOLDER, 'client.ts')));
  if (found === undefined) throw new Error(`${name} is not installed`);
  return promisify(execFile)(process.execPath, [path.join(found, '..', script), ...args], {
    cwd: FOLDER,
  });
}

interface IdentityClient {
  lookUp(addresses: string[]): Promise<Readonly<Record<string, string>>>;
  find(address: string): Promise<{ readonly mxid: string } | undefined>;
  refusalOfKey(keyId: string): Promise<string | undefined>;
}

test('a client that is generated from the description compiles, and works', async () => {
  const server = await startTestServer();
  const folder = await temporaryFolder();
  try {
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    const file = path.join(folder.path, 'openapi.json');
    await writeFile(file, (await get(`${server.url}/_matrix/identity/openapi.json`)).text);
    for (const made of ['description.ts', 'made']) {
      await rm(path.join(FOLDER, made), { recursive: true, force: true });
    }
    await run('openapi-typescript', 'bin/cli.js', file, '--output', 'description.ts');
    await run('typescript', 'bin/tsc', '--project', '.');
    const { createIdentityClient } = await import(path.join(FOLDER, 'made/client.js'));
    const token = await server.token('@bob:sample.test');
    const client: IdentityClient = createIdentityClient(server.url, token);
    expect(await client.lookUp(['ada@sample.test email', 'eve@sample.test email'])).toEqual({
      'ada@sample.test email': '@ada:sample.test',
    });
    expect(await client.find('ada@sample.test')).toMatchObject({ mxid: '@ada:sample.test' });
    expect(await client.find('eve@sample.test')).toBeUndefined();
    expect(await client.refusalOfKey('ed25519:none')).toBe('M_NOT_FOUND');
    const stranger: IdentityClient = createIdentityClient(server.url, 'nobody');
    await expect(stranger.lookUp([])).rejects.toThrow();
  } finally {
    await server.stop();
    await folder.remove();
  }
}, 60_000);
