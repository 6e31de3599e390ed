import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mailer, relay, seen } from '../support/mailer.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const MESSAGE = Buffer.from('From: a@b\r\nSubject: x\r\n\r\nx\r\n');

describe('TLS and authentication', () => {
  let ca: TestCa;
  let certificate: { cert: string; key: string };
  beforeAll(async () => {
    ca = await createTestCa();
    certificate = await ca.issue('localhost');
  });
  afterAll(() => ca.remove());

  const trusting = (port: number, lines: string) => mailer(port, lines, { trustedCa: ca.pem });

  test('by STARTTLS', async () => {
    const server = await relay(certificate);
    await trusting(server.port, 'email.tlsmode = STARTTLS').send('a@b.test', MESSAGE);
    expect((await server.nextMail()).secure).toBe(true);
  });

  test('from the start', async () => {
    const server = await relay({ ...certificate, secure: true });
    await trusting(server.port, 'email.tlsmode = SSL').send('a@b.test', MESSAGE);
    expect((await server.nextMail()).secure).toBe(true);
  });

  test('without, STARTTLS offered or not', async () => {
    const server = await relay(certificate);
    await mailer(server.port).send('a@b.test', MESSAGE);
    expect((await server.nextMail()).secure).toBe(false);
  });

  test.each(['STARTTLS', 'TLS'])(
    'a certificate nobody vouches for is refused (%s)',
    async (mode) => {
      const server = await relay({ ...certificate, secure: mode === 'TLS' });
      const sending = mailer(server.port, `email.tlsmode = ${mode}`).send('a@b.test', MESSAGE);
      await expect(sending).rejects.toMatchObject({ fault: 'email-not-sent' });
      expect(server.mails).toHaveLength(0);
    },
  );

  test('a certificate of another host is refused', async () => {
    const server = await relay({ ...(await ca.issue('other.test')), secure: true });
    const sending = trusting(server.port, 'email.tlsmode = TLS').send('a@b.test', MESSAGE);
    await expect(sending).rejects.toMatchObject({ fault: 'email-not-sent' });
  });

  test('STARTTLS that is asked for and not offered is a failure', async () => {
    const server = await relay();
    const sending = trusting(server.port, 'email.tlsmode = STARTTLS').send('a@b.test', MESSAGE);
    await expect(sending).rejects.toMatchObject({ fault: 'email-not-sent' });
    expect(server.mails).toHaveLength(0);
  });

  test('with user name and password', async () => {
    const server = await relay({
      ...certificate,
      secure: true,
      authOptional: false,
      onAuth({ username, password }, _session, done) {
        if (username === 'user' && password === 'p%ss') done(null, { user: username });
        else done(new Error('Invalid username or password'));
      },
    });
    const lines = 'email.tlsmode = TLS\nemail.smtpusername = user\n';
    await trusting(server.port, `${lines}email.smtppassword = p%%ss`).send('a@b.test', MESSAGE);
    expect((await server.nextMail()).user).toBe('user');
    await trusting(server.port, `${lines}email.smtppassword = p%%ss`).send(
      '\u00e9@b.test',
      MESSAGE,
    );
    expect((await server.nextMail()).smtputf8).toBe(true);
    const wrong = trusting(server.port, `${lines}email.smtppassword = hush`).send(
      'a@b.test',
      MESSAGE,
    );
    await expect(wrong).rejects.toMatchObject({ fault: 'email-not-sent' });
    expect(seen.logs.join('')).not.toContain('hush');
  });
});
