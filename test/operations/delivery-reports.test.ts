import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { adminClient, createAdminToken, WITH_ADMIN } from '../support/admin.ts';
import { runCommand } from '../support/commands.ts';
import { ENGINES, temporaryFolder } from '../support/databases.ts';
import { deliveryReport, type TestReport } from '../support/delivery-reports.ts';
import { postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe.each(ENGINES)('a mail that comes back, on %s,', (engine) => {
  let server: TestServer;
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  const file = () => server.config.files[0] ?? '';
  const run = (...args: string[]) => runCommand(...args, '-c', file());
  const json = async (...args: string[]) => JSON.parse((await run(...args, '--json')).output);

  beforeAll(async () => {
    folder = await temporaryFolder();
    server = await startTestServer({
      engine,
      now: Date.now(),
      sections: { admin: WITH_ADMIN, email: 'email.ratelimit_sender.burst = 1000' },
    });
  });
  afterAll(async () => {
    await server.stop();
    await folder.remove();
  });

  const events = async (address: string) => (await json('trace', address)).events;

  /** Has one mailed; what comes back of it, once it stands in the trail. */
  async function mailed(address: string): Promise<{ returned: string; messageId: string }> {
    const url = `${server.url}/_matrix/identity/api/v1/store-invite`;
    expect((await postJson(url, { ...INVITE, address })).status).toBe(200);
    const { raw, parsed } = await server.smtp.nextMail();
    const isSent = ({ event }: { event: string }) => event === 'sent';
    await expect.poll(async () => (await events(address)).some(isSent)).toBe(true);
    const headers = raw.toString().split('\r\n\r\n')[0] ?? '';
    return { returned: headers.replaceAll('\r\n', '\n'), messageId: parsed.messageId ?? '' };
  }

  /** Hands it over as mail systems do, on standard input. */
  async function pipe(message: string) {
    const stdin = vi.spyOn(process, 'stdin', 'get');
    stdin.mockReturnValue(Readable.from([Buffer.from(message)]) as never);
    try {
      return await run('mail', 'bounced', '--from', '-', '--json');
    } finally {
      stdin.mockRestore();
    }
  }
  async function hand(report: TestReport) {
    const { status, output } = await pipe(deliveryReport(report));
    expect(status, output).toBe(0);
    return JSON.parse(output);
  }
  const reported = async () => {
    const metrics = await (await fetch(`${server.metricsUrl}/metrics`)).text();
    const found = metrics.matchAll(/cognomen_mail_reports_total\{outcome="(\w+)"\} (\d+)/g);
    return Object.fromEntries(Array.from(found, ([, outcome, count]) => [outcome, Number(count)]));
  };

  test('is found by its Message-ID, and its trail says why', async () => {
    const before = await reported();
    const { returned, messageId } = await mailed('Ada@Sample.test');
    const late = { action: 'delayed', status: '4.4.1', diagnostic: 'smtp; 421 later' };
    expect(await hand({ ...late, returned })).toEqual({
      ...{ outcome: 'noted', event: 'delayed', status: '4.4.1', message_id: messageId },
    });
    const diagnostic = 'smtp; 550 5.1.1 \u001b[2J<ada@sample.test>: unknown';
    const { output, status } = await pipe(deliveryReport({ diagnostic, returned }));
    expect([JSON.parse(output).event, status]).toEqual(['bounced', 0]);
    const trail = await events('ada@sample.test');
    expect(trail.map(({ event }: { event: string }) => event)).toEqual([
      ...['asked', 'sent', 'delayed', 'bounced'],
    ]);
    expect(trail.at(-1).details).toEqual({
      ...{ what: 'invitation', message_id: messageId, status: '5.1.1' },
      ...{ remote: 'mail.sample.test', reply: '550 5.1.1 [2J<ada@sample.test>: unknown' },
    });
    expect((await run('trace', 'ada@sample.test')).output).toMatch(
      /invitation came back: 5\.1\.1, 550 5\.1\.1 \[2J<ada@sample\.test>: unknown, by mail\.sample\.test, Message-ID </,
    );
    expect(await reported()).toEqual({
      ...{ bounced: (before['bounced'] ?? 0) + 1, delayed: (before['delayed'] ?? 0) + 1 },
      delivered: 0,
    });
    // Programs call it for whatever comes: that is no trail of operators.
    expect(JSON.stringify(await json('audit', 'list'))).not.toContain('mail bounced');
  });

  test('is found by what was asked for with it, and from a file', async () => {
    const { messageId } = await mailed('bob@sample.test');
    const report = deliveryReport({
      ...{ action: 'delivered', envelopeId: messageId.slice(1, -1) },
      ...{ finalRecipient: 'relocated@else.test', originalRecipient: 'rfc822; BOB@sample.test' },
    });
    const at = path.join(folder.path, 'report.eml');
    await writeFile(at, report);
    expect(await json('mail', 'bounced', '--from', at)).toMatchObject({ event: 'delivered' });
    expect((await events('bob@sample.test')).at(-1)).toMatchObject({ event: 'delivered' });
    expect((await run('mail', 'bounced', '--from', `${at}-`)).status).toBe(1);
    expect((await run('mail', 'bounced')).status).toBe(2);
  });

  test('can be handed to the admin API, by operators', async () => {
    const { returned } = await mailed('cyd@sample.test');
    const viewer = adminClient(server, (await createAdminToken(file(), 'viewer')).token);
    const operator = adminClient(server, (await createAdminToken(file(), 'operator')).token);
    const from = deliveryReport({ returned });
    expect((await viewer.post('mail/bounced', { from })).status).toBe(403);
    expect((await operator.post('mail/bounced', { from })).json).toMatchObject({
      outcome: 'noted',
    });
    expect((await operator.post('mail/bounced', {})).json).toMatchObject({ field: 'from' });
    expect((await operator.post('mail/bounced', { from: 'x' })).json).toEqual({
      outcome: 'no_report',
    });
    const large = await operator.post('mail/bounced', { from: from.padEnd(600_000) });
    expect(large.status).toBe(413);
  });

  test('is none where its Message-ID, or its address, is not that of a mail from here', async () => {
    const { returned, messageId } = await mailed('dan@sample.test');
    const { messageId: others } = await mailed('eve@sample.test');
    const before = await reported();
    for (const wrong of [
      returned.replace(messageId, `<${'A'.repeat(32)}@id.test>`),
      returned.replace(messageId, others),
      returned.replace(messageId, messageId.toLowerCase()),
      returned.replace('dan@sample.test', 'fay@sample.test'),
      returned.replace(/Message-ID.*\n/i, ''),
      '',
    ]) {
      expect(await hand({ returned: wrong })).toEqual({ outcome: 'unknown' });
    }
    expect(await reported()).toEqual(before);
    for (const address of ['dan@sample.test', 'eve@sample.test']) {
      expect(await events(address)).toHaveLength(2);
    }
  });

  test('is counted no more than some times, whatever comes, also at once', async () => {
    const { returned } = await mailed('gus@sample.test');
    const operator = adminClient(server, (await createAdminToken(file(), 'operator')).token);
    const answers = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        operator.post('mail/bounced', {
          from: deliveryReport({ returned, diagnostic: `smtp; 550 No ${i % 3}` }),
        }),
      ),
    );
    // Of the admin API no more are taken at once.
    expect(answers.filter(({ status }) => status === 200).length).toBeGreaterThanOrEqual(8);
    for (let i = 0; i < 9; i++) await hand({ returned, diagnostic: `smtp; 550 Never ${i}` });
    expect(await hand({ returned })).toMatchObject({ outcome: 'repeated' });
    const trail = (await events('gus@sample.test')).filter(
      ({ event }: { event: string }) => event === 'bounced',
    );
    const times = trail.reduce((sum: number, one: { times: number }) => sum + one.times, 0);
    expect(times).toBe(8);
  });

  test('is told by doctor where it is more than some', async () => {
    const mails = async () =>
      (await json('doctor', '--offline')).findings.find(
        ({ about }: { about: string }) => about === 'mails',
      );
    await server.database.execute('delete from cognomen_message_events');
    expect(await mails()).toMatchObject({ state: 'ok' });
    for (const name of ['i', 'j', 'k', 'l', 'm', 'n']) {
      await hand({ returned: (await mailed(`${name}@sample.test`)).returned });
    }
    expect(await mails()).toMatchObject({
      state: 'warning',
      finding: expect.stringMatching(/ 0 could not be sent, and \d+ came back$/),
    });
    await server.database.execute(
      'update cognomen_message_events set first_ts = first_ts - 86400001',
    );
    expect(await mails()).toMatchObject({ state: 'ok' });
  });
});
