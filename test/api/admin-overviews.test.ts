import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { ENGINES } from '../support/databases.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe.runIf(ENGINES.includes('sqlite'))('while a relay hangs', () => {
  const hanging: (() => void)[] = [];
  let server: TestServer;
  let admin: AdminClient;
  beforeAll(async () => {
    const smtp = {
      onConnect: (_session: unknown, done: () => void) => void hanging.push(done),
    };
    server = await startTestServer({ smtp, sections: { admin: WITH_ADMIN } });
    const { token } = await createAdminToken(server.config.files[0] ?? '', 'viewer');
    admin = adminClient(server, token);
  });
  afterAll(() => server.stop());

  test('those who ask again and again what is wrong keep nobody out', async () => {
    const asked = Array.from({ length: 20 }, () => admin.get('doctor'));
    await expect.poll(() => hanging.length).toBe(1);
    expect((await admin.get('stats')).status).toBe(200);
    expect((await admin.get('accounts/list')).status).toBe(200);
    for (const goOn of hanging) goOn();
    const answers = await Promise.all(asked);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(hanging).toHaveLength(1);
  });
});
