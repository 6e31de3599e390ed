import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { ENGINES } from '../support/databases.ts';
import { invite } from '../support/invitations.ts';
import { newSigningKey } from '../support/replicating-servers.ts';
import { SIGNING_KEY, startTestServer, type TestServer } from '../support/server.ts';

const HOUR = 60 * 60 * 1000;

describe.each(ENGINES)('the signing keys of a server on %s', (engine) => {
  let server: TestServer;
  let api: AdminClient;

  beforeAll(async () => {
    server = await startTestServer({ engine, now: Date.now(), sections: { admin: WITH_ADMIN } });
    api = adminClient(
      server,
      (await createAdminToken(server.config.files[0] ?? '', 'viewer')).token,
    );
  });
  afterAll(() => server.stop());

  const listed = async () =>
    (await api.get('key/list')).json.items.map((one: { use: string; invitations: number }) => [
      one.use,
      one.invitations,
    ]);

  test('tell how many pending invitations need each, and go on to when it is changed', async () => {
    await invite(server, 'early@sample.test');
    expect(await listed()).toEqual([['signs', 1]]);
    expect((await api.get('key/plan')).json).toMatchObject({ invitations: 1, peers: [] });

    server.clock.advance(2 * HOUR);
    const [file = ''] = server.config.files;
    const other = { env: {}, hostname: 'id.test' };
    const text = (await readFile(file, 'utf8')).replace(
      `ed25519.signingkey = ${SIGNING_KEY}`,
      `ed25519.signingkey = ${newSigningKey('1').line}\ned25519.old_signing_keys = ${SIGNING_KEY}`,
    );
    await server.app.reload(parseConfig(file, text, other).config.crypto);
    server.clock.advance(2 * HOUR);
    await invite(server, 'late1@sample.test');
    await invite(server, 'late2@sample.test');
    expect(await listed()).toEqual([
      ['signs', 2],
      ['signs invitations of its time', 1],
    ]);
    expect((await api.get('key/plan')).json).toMatchObject({ invitations: 3 });
  });
});
