import { expect, test } from 'vitest';
import { ADMIN_ROOT, createAdminToken } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { createDatabase, ENGINES, temporaryFolder } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { askAnew, killWorker, startWorkers } from '../support/workers.ts';

test.each(ENGINES)(
  'a token that is revoked while two workers run on %s works no more, whoever leads',
  async (engine) => {
    const database = await createDatabase(engine);
    const folder = await temporaryFolder();
    const port = await freePort();
    const server = await startWorkers(folder.path, {
      db: database.config,
      admin: `admin.http.port = ${port}`,
    });
    try {
      const ask = (token: string) =>
        askAnew(`http://127.0.0.1:${port}${ADMIN_ROOT}/stats`, { token });
      const kept = await createAdminToken(server.file, 'viewer');
      const revoked = await createAdminToken(server.file, 'operator');
      expect((await ask(kept.token)).status).toBe(200);
      expect((await ask(revoked.token)).status).toBe(200);
      const done = await runCommand('admin-token', 'revoke', revoked.id, '-c', server.file);
      expect(done).toMatchObject({ status: 0, output: 'revoked\n' });
      expect((await ask(revoked.token)).status).toBe(401);
      const answering = () => [...server.answeredBy(`${ADMIN_ROOT}/stats`)];
      await expect.poll(answering).toHaveLength(1);
      await killWorker(answering()[0]);
      await expect
        .poll(async () => (await ask(kept.token).catch(() => undefined))?.status)
        .toBe(200);
      expect((await ask(revoked.token)).status).toBe(401);
      await expect.poll(answering).toHaveLength(2);
    } finally {
      await server.stop();
      await database.drop();
      await folder.remove();
    }
  },
);
