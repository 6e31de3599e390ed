import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { mailer, relay, scriptedRelay, seen } from '../support/mailer.ts';

const MESSAGE = Buffer.from(
  'From: a@b\r\nSubject: x\r\n\r\n.a line that begins with a dot\r\n..two\r\n.\r\nGr\u00fc\u00dfe\r\n',
);

describe('a message', () => {
  test('arrives as it is, octet by octet, from and to the addresses as given', async () => {
    const server = await relay();
    const before = seen.attempts;
    await mailer(server.port).send("O'Brien.x+y@Sample.TEST", MESSAGE);
    const mail = await server.nextMail();
    expect(mail.raw.equals(MESSAGE)).toBe(true);
    expect(mail.from).toBe('noreply@id.test');
    expect(mail.to).toEqual(["O'Brien.x+y@Sample.TEST"]);
    expect(seen.attempts).toBe(before + 1);
  });

  test('goes to a user name with dots in a row, in quotes', async () => {
    // The usual relay of these tests knows no quotes.
    const lines: string[] = [];
    const port = await scriptedRelay((line) => {
      lines.push(line);
      return line.startsWith('RCPT') ? '550 no' : '250 yes';
    });
    await mailer(port)
      .send('a..b.@sample.test', MESSAGE)
      .catch(() => {});
    expect(lines).toContain('RCPT TO:<"a..b."@sample.test>');
  });

  test.each([
    ['8bitmime', MESSAGE],
    ['7bit', Buffer.from('Subject: x\r\n\r\nplain\r\n')],
  ])('is announced as %s', async (body, message) => {
    const server = await relay();
    await mailer(server.port).send('a@b.test', message);
    expect((await server.nextMail()).body).toBe(body);
  });

  test('goes from an internationalised domain in ASCII', async () => {
    const lines: string[] = [];
    const port = await scriptedRelay((line) => {
      lines.push(line);
      return line.startsWith('MAIL') ? '550 no' : '250 yes';
    });
    await mailer(port, 'email.from = Me <me@m\u00fcnchen.test>')
      .send('a@b.test', MESSAGE)
      .catch(() => {});
    expect(lines).toContain('MAIL FROM:<me@xn--mnchen-3ya.test>');
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

  test('goes over a new one when the relay has forgotten all of those', async () => {
    const mails = [0, 0, 0, 0];
    let letGo = () => {};
    const allThere = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    let waiting = 0;
    const port = await scriptedRelay((line, connection) => {
      if (line.startsWith('MAIL') && (mails[connection] ?? 0) > 0) return undefined;
      if (line.startsWith('EHLO') && ++waiting === 3) letGo();
      if (line.startsWith('DATA')) return '354 go on';
      if (line === '.') mails[connection] = (mails[connection] ?? 0) + 1;
      return '250 yes';
    });
    const pooled = mailer(port);
    await Promise.all([1, 2, 3].map(() => pooled.send('a@b.test', MESSAGE)));
    await allThere;
    await pooled.send('a@b.test', MESSAGE);
    expect(mails).toEqual([1, 1, 1, 1]);
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

  test('to many internationalised users goes over few connections at a time', async () => {
    let now = 0;
    let most = 0;
    const server = await relay({
      onMailFrom: (_address, _session, done) => {
        most = Math.max(most, ++now);
        done();
      },
      onClose: () => now--,
    });
    const { send } = mailer(server.port);
    await Promise.all(Array.from({ length: 20 }, (_, i) => send(`\u00fc${i}@b.test`, MESSAGE)));
    expect(new Set(server.mails.flatMap(({ to }) => to)).size).toBe(20);
    expect(most).toBeLessThanOrEqual(5);
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
    expect(seen.logs.at(-1)).toContain('"responseCode":550');
  });

  test('a relay that repeats what it was sent', async () => {
    const port = await scriptedRelay((line) => {
      if (line.startsWith('EHLO')) return '250-here\r\n250 AUTH PLAIN';
      return line.startsWith('AUTH') ? `535 5.7.8 no: ${line}` : '250 yes';
    });
    const password = 'hush-hush';
    const lines = `email.smtpusername = user\nemail.smtppassword = ${password}`;
    await expect(mailer(port, lines).send('a@b.test', MESSAGE)).rejects.toMatchObject(refused);
    expect(seen.logs.at(-1)).toContain('"responseCode":535');
    expect(seen.logs.at(-1)).not.toContain(Buffer.from(`\0user\0${password}`).toString('base64'));

    const link = 'https://id.test/x?token=SECRET&sid=1';
    const filtering = await scriptedRelay((line) => {
      if (line.startsWith('DATA')) return '354 go on';
      return line === '.' ? `554 5.7.1 Blocked: ${link} is on a list` : '250 yes';
    });
    await expect(mailer(filtering).send('a@b.test', MESSAGE)).rejects.toMatchObject(refused);
    expect(seen.logs.at(-1)).toContain('554 5.7.1 Blocked: (link) is on a list');
    expect(seen.logs.at(-1)).not.toContain('SECRET');
  });

  test('no relay', async () => {
    const server = await relay();
    const { port } = server;
    await server.close();
    await expect(mailer(port).send('a@b.test', MESSAGE)).rejects.toMatchObject(refused);
    expect(seen.logs.at(-1)).toContain('ECONNREFUSED');
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
    await expect(
      mailer(port, '', { timeouts: impatient }).send('a@b.test', MESSAGE),
    ).rejects.toMatchObject(refused);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});
