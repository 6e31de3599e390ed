import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES, temporaryFolder } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;

describe.each(ENGINES)('what became of messages, on %s,', (engine) => {
  let server: TestServer;
  let api: AdminClient;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const file = () => server.config.files[0] ?? '';

  beforeAll(async () => {
    folder = await temporaryFolder();
    await mkdir(path.join(folder.path, 'own'));
    await writeFile(
      path.join(folder.path, 'own/verification_template.eml'),
      'Subject: Prove it\r\n\r\nHello, <b>%(link)s</b>\r\n',
    );
    await mkdir(path.join(folder.path, 'faulty'));
    await writeFile(path.join(folder.path, 'faulty/verification_template.eml.j2'), '{% if %}');
    server = await startTestServer({
      engine,
      now: Date.now(),
      sections: {
        admin: WITH_ADMIN,
        general: `templates.path = ${folder.path}`,
        email: 'email.ratelimit_sender.burst = 1000',
      },
      smtp: {
        onRcptTo: ({ address }, _session, done) =>
          done(
            address.startsWith('gone')
              ? Object.assign(
                  new Error(`5.1.1 <${address}>: User unknown, id ${address.length}AF43B77`),
                  {
                    responseCode: 550,
                  },
                )
              : null,
          ),
      },
    });
    api = adminClient(server, (await createAdminToken(file(), 'viewer')).token);
  });
  afterAll(async () => {
    await server.stop();
    await folder.remove();
  });

  test('is added up, replies that mean the same too, and nobody is named', async () => {
    const invite = (address: string) =>
      postJson(`${server.url}/_matrix/identity/api/v1/store-invite`, { ...INVITE, address });
    for (const address of ['gone@one.test', 'gone-too@one.test', 'gone@two.test']) {
      await invite(address);
    }
    for (const address of ['here@one.test', 'also@one.test']) {
      expect((await invite(address)).status).toBe(200);
    }
    const timesOf = async (event: string) =>
      (await api.get('messages/outcomes')).json.events.find(
        (one: { event: string }) => one.event === event,
      )?.times;
    await expect.poll(() => timesOf('sent')).toBe(2);
    await expect.poll(() => timesOf('not-sent')).toBe(3);
    const { json } = await api.get('messages/outcomes', { days: '1' });
    expect(json.complete).toBe(true);
    expect(json.replies).toHaveLength(2);
    expect(json.replies[0]).toMatchObject({ medium: 'email', event: 'not-sent', times: 3 });
    expect(json.replies[0].reply).toContain('550 5.1.1 <(address)>: User unknown, id (id)');
    expect(json.replies[1]).toMatchObject({ event: 'sent', times: 2 });
    expect(json.domains).toEqual([
      { domain: 'one.test', sent: 2, failed: 2 },
      { domain: 'two.test', sent: 0, failed: 1 },
    ]);
    expect(JSON.stringify(json)).not.toMatch(/gone|here|also/);
    const { output, status } = await runCommand('messages', 'outcomes', '-c', file());
    expect(status).toBe(0);
    expect(output).toContain('one.test  2 failed, 2 sent');
  });

  test('is that of the days that are asked for', async () => {
    await server.database.execute('update cognomen_message_events set first_ts = ?, last_ts = ?', [
      Date.now() - 3 * DAY,
      Date.now() - 3 * DAY,
    ]);
    const events = async (days: string) =>
      (await api.get('messages/outcomes', { days })).json.events.length;
    expect(await events('2')).toBe(0);
    expect(await events('4')).toBeGreaterThan(1);
    expect((await api.get('messages/outcomes', { days: '36' })).status).toBe(400);
  });

  test('goes back no further than so many events, and says so', async () => {
    const now = Date.now();
    const rows = Array.from(
      { length: 500 },
      (_, at) => `('email', 'many${at}@sample.test', 'sent', ${now}, ${now}, 1, '{}')`,
    );
    for (let round = 0; round < 42; round++) {
      await server.database.execute(
        `insert into cognomen_message_events (medium, address, event, first_ts, last_ts, times, details) values ${rows.join()}`,
      );
    }
    const { json } = await api.get('messages/outcomes');
    expect(json.complete).toBe(false);
    expect(json.since).toBe(now);
    expect(json.events).toEqual([{ medium: 'email', event: 'sent', times: 20_000 }]);
  });

  test('every template shows what it looks like, an own one too, and a faulty one why not', async () => {
    const { json: offer } = await api.get('messages/templates');
    expect(offer.brands).toEqual(['faulty', 'matrix-org', 'own', 'vector-im']);
    for (const template of offer.templates) {
      for (const language of ['en', 'ar']) {
        const { status, json } = await api.get('messages/preview', { template, language });
        expect([template, status, json.brand]).toEqual([template, 200, 'matrix-org']);
        expect(json.html).toContain(`lang="${language}"`);
      }
    }
    const preview = (args: Record<string, string>) =>
      api.get('messages/preview', { template: 'verification', ...args });
    const stock = (await preview({ language: 'de' })).json;
    expect(stock.subject).toBeTruthy();
    expect(stock.text).toContain('R7KX3MPW');
    const own = (await preview({ brand: 'own' })).json;
    expect(own).toMatchObject({ brand: 'own', subject: 'Prove it' });
    expect(own.html).toContain('&lt;b&gt;https://');
    expect((await preview({ brand: 'faulty' })).json).toMatchObject({
      errcode: 'M_BAD_STATE',
      error: expect.stringContaining('cannot be used'),
    });
    expect((await preview({ brand: '../../etc' })).json.brand).toBe('matrix-org');
    expect((await preview({ language: 'tlh' })).status).toBe(400);
    expect((await api.get('messages/preview', { template: 'nonsense' })).status).toBe(404);
    const { output } = await runCommand('messages', 'preview', 'proven', '-c', file());
    expect(output).toContain('<!DOCTYPE html>');
  });
});
