import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { spawnCognomen, writeConfig } from '../support/process.ts';
import { startSmtpServer } from '../support/smtp.ts';

test('a stop ends the process, whatever a relay leaves unanswered', async () => {
  const folder = await temporaryFolder();
  const arrived = Promise.withResolvers<void>();
  const relay = await startSmtpServer({ onMailFrom: () => arrived.resolve() });
  const { url } = await writeConfig(folder.path, {
    email: `email.smtphost = 127.0.0.1\nemail.smtpport = ${relay.port}`,
  });
  const server = spawnCognomen([], { cwd: folder.path });
  await server.untilLogged('Ready');
  const asked = postJson(`${url}/_matrix/identity/api/v1/validate/email/requestToken`, {
    email: 'ada@sample.test',
    client_secret: 'abcd',
    send_attempt: 1,
  }).catch(() => 'cut off');
  await arrived.promise;
  const began = performance.now();
  expect(await server.stop()).toBe(0);
  // The relay has 30 s for each answer.
  expect(performance.now() - began).toBeLessThan(25_000);
  expect(await asked).toBe('cut off');
  expect(server.log()).toMatch(/still under way[\s\S]*"Stopped"/);
  await relay.close();
  await folder.remove();
}, 60_000);
