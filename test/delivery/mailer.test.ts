import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import pino from 'pino';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { EmailConfig } from '../../src/config/config.ts';
import { parseConfig } from '../../src/config/load.ts';
import { createMailer, type Mailer } from '../../src/delivery/mail/mailer.ts';
import { renderConfig, SIGNING_KEY } from '../support/server.ts';
import { startSmtpServer, type TestRelay } from '../support/smtp.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0).reverse()) await item.close();
});

async function relay(options: Parameters<typeof startSmtpServer>[0] = {}): Promise<TestRelay> {
  const server = await startSmtpServer(options);
  open.push(server);
  return server;
}

function emailConfig(lines: string): EmailConfig {
  const { config } = parseConfig(
    'test.conf',
    renderConfig({
      email: `email.from = Cognomen <noreply@id.test>\nemail.hostname = id.test\nemail.smtphost = localhost\n${lines}`,
      crypto: `ed25519.signingkey = ${SIGNING_KEY}`,
    }),
    { env: {}, hostname: 'id.test' },
  );
  return config.email;
}

const logs: string[] = [];
let attempts = 0;

function mailer(port: number, lines = '', timeouts = {}): Mailer {
  const created = createMailer(emailConfig(`email.smtpport = ${port}\n${lines}`), {
    logger: pino({}, { write: (line: string) => void logs.push(line) }),
    onAttempt: () => attempts++,
    timeouts,
  });
  open.push(created);
  return created;
}

const MESSAGE = Buffer.from(
  'From: a@b\r\nSubject: x\r\n\r\n.a line that begins with a dot\r\n..two\r\n.\r\nGr\u00fc\u00dfe\r\n',
);

describe('a message', () => {
  test('arrives as it is, octet by octet, from and to the addresses as given', async () => {
    const server = await relay();
    const before = attempts;
    await mailer(server.port).send("O'Brien.x+y@Sample.TEST", MESSAGE);
    const mail = await server.nextMail();
    expect(mail.raw.equals(MESSAGE)).toBe(true);
    expect(mail.from).toBe('noreply@id.test');
    expect(mail.to).toEqual(["O'Brien.x+y@Sample.TEST"]);
    expect(attempts).toBe(before + 1);
  });

  test('goes to a user name with dots in a row, in quotes', async () => {
    // The usual relay of these tests knows no quotes.
    const lines: string[] = [];
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.write('220 here\r\n');
      socket.on('data', (chunk) => {
        lines.push(...chunk.toString().split('\r\n'));
        socket.write(chunk.toString().startsWith('RCPT') ? '550 no\r\n' : '250 yes\r\n');
      });
    }).listen(0, '127.0.0.1');
    open.push(server);
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await mailer(port)
      .send('a..b.@sample.test', MESSAGE)
      .catch(() => {});
    expect(lines).toContain('RCPT TO:<"a..b."@sample.test>');
  });

  test('goes over a connection that is kept', async () => {
    const server = await relay();
    const pooled = mailer(server.port);
    for (let i = 0; i < 3; i++) await pooled.send('a@b.test', MESSAGE);
    expect(server.connections).toBe(1);
  });

  test('goes over a new one when the relay has dropped that', async () => {
    const server = await relay();
    const pooled = mailer(server.port);
    await pooled.send('a@b.test', MESSAGE);
    server.dropConnections();
    await pooled.send('a@b.test', MESSAGE);
    expect(server.mails).toHaveLength(2);
    expect(server.connections).toBe(2);
  });

  test('to an internationalised domain goes in ASCII', async () => {
    const server = await relay({ hideSMTPUTF8: true });
    await mailer(server.port).send('user@m\u00fcnchen.test', MESSAGE);
    // The relay of these tests shows domains decoded; that it was asked for no SMTPUTF8 tells.
    const mail = await server.nextMail();
    expect(mail.to).toEqual(['user@m\u00fcnchen.test']);
    expect(mail.smtputf8).toBe(false);
  });

  test('to an internationalised user goes where the relay has SMTPUTF8', async () => {
    const server = await relay({ hideSMTPUTF8: false });
    await mailer(server.port).send('j\u00fcrgen@m\u00fcnchen.test', MESSAGE);
    const mail = await server.nextMail();
    expect(mail.to).toEqual(['j\u00fcrgen@m\u00fcnchen.test']);
    expect(mail.smtputf8).toBe(true);
  });

  test('to an internationalised user is refused where it has not', async () => {
    const server = await relay({ hideSMTPUTF8: true });
    await expect(
      mailer(server.port).send('j\u00fcrgen@sample.test', MESSAGE),
    ).rejects.toMatchObject({
      fault: 'email-invalid',
    });
    expect(server.mails).toHaveLength(0);
  });
});

describe('a failure is told, and its cause is logged without secrets', () => {
  const refused = { fault: 'email-not-sent' };

  test('a refused recipient', async () => {
    const server = await relay();
    server.refuse(550);
    await expect(mailer(server.port).send('a@b.test', MESSAGE)).rejects.toMatchObject(refused);
    expect(logs.at(-1)).toContain('"responseCode":550');
  });

  test('no relay', async () => {
    const server = await relay();
    const { port } = server;
    await open.pop()?.close();
    await expect(mailer(port).send('a@b.test', MESSAGE)).rejects.toMatchObject(refused);
    expect(logs.at(-1)).toContain('ECONNREFUSED');
  });

  test.each<[string, (socket: Socket) => void]>([
    ['says nothing', () => {}],
    ['hangs up at once', (socket) => socket.destroy()],
    ['greets and says no more', (socket) => socket.write('220 hello\r\n')],
    ['speaks something else', (socket) => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
  ])('a relay that %s', async (_what, behave) => {
    const sockets: Socket[] = [];
    const server: Server = createServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => {});
      behave(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    const impatient = { connect: 300, greeting: 300, socket: 300, total: 1500 };
    await expect(mailer(port, '', impatient).send('a@b.test', MESSAGE)).rejects.toMatchObject(
      refused,
    );
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe('TLS and authentication', () => {
  let ca: TestCa;
  let certificate: { cert: string; key: string };
  beforeAll(async () => {
    ca = await createTestCa();
    certificate = await ca.issue('localhost');
  });
  afterAll(() => ca.remove());

  const trusting = (port: number, lines: string) => {
    const created = createMailer(emailConfig(`email.smtpport = ${port}\n${lines}`), {
      logger: pino({}, { write: (line: string) => void logs.push(line) }),
      onAttempt: () => {},
      trustedCa: ca.pem,
    });
    open.push(created);
    return created;
  };

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
    expect(logs.join('')).not.toContain('hush');
  });
});
