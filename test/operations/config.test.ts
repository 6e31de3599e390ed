import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AdminClient, adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { SIGNING_KEY, startTestServer, type TestServer } from '../support/server.ts';

const SECRETS = ['hush', 'inurl', 'inquery', SIGNING_KEY.split(' ')[2] ?? ''];

interface Setting {
  readonly section: string;
  readonly key: string;
  readonly value?: string;
  readonly from: string;
  readonly about: string;
  readonly after_restart?: string;
}

describe('the configuration of a running server', () => {
  let server: TestServer;
  let viewer: AdminClient;
  const file = () => server.config.files[0] ?? '';

  beforeAll(async () => {
    server = await startTestServer({
      now: Date.now(),
      sections: {
        admin: WITH_ADMIN,
        email: 'email.smtpusername = mailer\nemail.smtppassword = hush',
        http: '[peer.peer.test]\nbase_replication_url = https://user:inurl@peer.test:1001',
        sms: 'sms.webhook.url = https://sms.test/send?code=inquery',
      },
    });
    viewer = adminClient(server, (await createAdminToken(file(), 'viewer')).token);
  });
  afterAll(() => server.stop());

  const settings = async (): Promise<Setting[]> => (await viewer.get('config/show')).json.items;
  const setting = async (name: string) => (await settings()).find(({ key }) => key === name);

  test('is shown to who may look, with where it is from, and without what is secret', async () => {
    expect(await setting('email.smtpusername')).toMatchObject({
      section: 'email',
      value: 'mailer',
      from: file(),
      about: expect.stringContaining('.'),
    });
    expect(await setting('email.smtppassword')).toMatchObject({ value: '(hidden)' });
    expect(await setting('base_replication_url')).toMatchObject({
      value: 'https://(hidden)@peer.test:1001',
    });
    expect(await setting('sms.webhook.url')).toMatchObject({
      value: 'https://sms.test/send?(hidden)',
    });
    expect(await setting('log.level')).toMatchObject({ from: 'default', value: 'INFO' });
    const all = JSON.stringify(await settings());
    const { output } = await runCommand('config', 'show', '--json', '-c', file());
    for (const secret of SECRETS) {
      expect(all).not.toContain(secret);
      expect(output).not.toContain(secret);
    }
    const names = (await settings()).map(({ section, key }) => `${section} ${key}`);
    expect(new Set(names).size).toBe(names.length);
  });

  test('stays what it is when its files change, and says what a restart makes of them', async () => {
    const before = await readFile(file(), 'utf8');
    await writeFile(
      file(),
      before
        .replace('email.smtpusername = mailer', 'email.smtpusername = other')
        .replace('smtppassword = hush', 'smtppassword = hush2'),
    );
    expect(await setting('email.smtpusername')).toMatchObject({
      value: 'mailer',
      after_restart: 'other',
    });
    expect(await setting('email.smtppassword')).toMatchObject({
      value: '(hidden)',
      after_restart: '(hidden)',
    });
    expect(JSON.stringify(await settings())).not.toContain('hush');
    const changed = (await settings()).filter((one) => one.after_restart !== undefined);
    expect(changed).toHaveLength(2);
    const { output } = await runCommand('config', 'show', '--json', '-c', file());
    expect(JSON.parse(output.replace(/^warning: .*\n/gm, ''))).toContainEqual(
      expect.objectContaining({ key: 'email.smtpusername', value: 'other' }),
    );

    await writeFile(file(), '[general]\nlog.level = LOUD\n');
    expect(await setting('email.smtpusername')).toMatchObject({ value: 'mailer' });
    expect((await settings()).filter((one) => one.after_restart !== undefined)).toEqual([]);
    await writeFile(file(), before);
    expect((await settings()).filter((one) => one.after_restart !== undefined)).toEqual([]);
  });
});
