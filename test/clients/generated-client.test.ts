import { execFile } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { findPackageJSON } from 'node:module';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { ADMIN_ROOT, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { temporaryFolder } from '../support/databases.ts';
import { get } from '../support/http.ts';
import { bind, invite } from '../support/invitations.ts';
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

interface AdminClient {
  problems(): Promise<readonly { readonly about: string }[]>;
  invitations(address: string): Promise<readonly number[]>;
  resend(id: number): Promise<string | undefined>;
  backlogs(): Promise<Readonly<Record<string, number>>>;
}

test('a client that is generated from each description compiles, and works', async () => {
  const server = await startTestServer({ now: Date.now(), sections: { admin: WITH_ADMIN } });
  const folder = await temporaryFolder();
  try {
    await bind(server, 'ada@sample.test', '@ada:sample.test');
    const admin = await createAdminToken(server.config.files[0] ?? '', 'operator');
    const descriptions = {
      'description.ts': await get(`${server.url}/_matrix/identity/openapi.json`),
      'admin-description.ts': await get(
        `${server.adminUrl}${ADMIN_ROOT}/openapi.json`,
        {},
        admin.token,
      ),
    };
    for (const made of [...Object.keys(descriptions), 'made']) {
      await rm(path.join(FOLDER, made), { recursive: true, force: true });
    }
    for (const [name, { text }] of Object.entries(descriptions)) {
      const file = path.join(folder.path, 'openapi.json');
      await writeFile(file, text);
      await run('openapi-typescript', 'bin/cli.js', file, '--output', name);
    }
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

    const { createAdminClient } = await import(path.join(FOLDER, 'made/admin-client.js'));
    const operator: AdminClient = createAdminClient(server.adminUrl, admin.token);
    for (const room of ['!a:sample.test', '!b:sample.test']) {
      await invite(server, 'eve@sample.test', { room_id: room });
    }
    const invitations = await operator.invitations('eve@sample.test');
    expect(invitations).toHaveLength(2);
    expect(await operator.resend(invitations[0] ?? 0)).toBeUndefined();
    expect(await operator.resend(4711)).toBe('M_NOT_FOUND');
    expect(await operator.backlogs()).toEqual({});
    expect(await operator.problems()).toEqual(expect.any(Array));
    const nobody: AdminClient = createAdminClient(server.adminUrl, 'nobody');
    await expect(nobody.problems()).rejects.toThrow('M_UNAUTHORIZED');
  } finally {
    await server.stop();
    await folder.remove();
  }
});
