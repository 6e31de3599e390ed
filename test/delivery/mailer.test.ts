import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { isOutcomeUnknown } from '../../src/model/errors.ts';
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

  test('goes over the connection on which another was refused, whatever the reason', async () => {
    const server = await relay({ hideSMTPUTF8: true });
    const kept = mailer(server.port);
    server.refuse(550);
    await expect(kept.send('a@b.test', MESSAGE)).rejects.toThrow();
    server.refuse(undefined);
    await expect(kept.send('j\u00fcrgen@b.test', MESSAGE)).rejects.toThrow();
    await kept.send('a@b.test', MESSAGE);
    expect(server.mails).toHaveLength(1);
    expect(server.connections).toBe(1);
  });

  test('goes over a new one after a hundred', async () => {
    const server = await relay();
    const kept = mailer(server.port);
    for (let i = 0; i < 101; i++)
      await kept.send('a@b.test', Buffer.from('Subject: x\r\n\r\nx\r\n'));
    expect(server.mails).toHaveLength(101);
    expect(server.connections).toBe(2);
  });

  test('goes over a new one when the relay says goodbye to those it had', async () => {
    let mails = 0;
    const port = await scriptedRelay((line, connection) => {
      if (line.startsWith('MAIL') && connection === 0 && mails > 0) return '421 bye';
      if (line.startsWith('DATA')) return '354 go on';
      if (line === '.') mails++;
      return '250 yes';
    });
    const kept = mailer(port);
    await kept.send('a@b.test', MESSAGE);
    await kept.send('a@b.test', MESSAGE);
    expect(mails).toBe(2);
  });

  test('is not sent again once the relay may have taken it', async () => {
    let datas = 0;
    const port = await scriptedRelay((line) => {
      if (line.startsWith('DATA')) return '354 go on';
      if (line === '.') return ++datas > 1 ? undefined : '250 yes';
      return '250 yes';
    });
    const kept = mailer(port);
    await kept.send('a@b.test', MESSAGE);
    await expect(kept.send('a@b.test', MESSAGE)).rejects.toMatchObject({ fault: 'email-not-sent' });
    expect(datas).toBe(2);
  });

  test('leaves no connection behind when the mailer is closed', async () => {
    const server = await relay({ closeTimeout: 60_000 });
    const kept = mailer(server.port);
    await Promise.all([1, 2, 3].map(() => kept.send('a@b.test', MESSAGE)));
    const underWay = kept.send('a@b.test', MESSAGE);
    await kept.close();
    await underWay;
    await server.close();
    expect(server.mails).toHaveLength(4);
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
    const server = await relay();
    const { send } = mailer(server.port);
    await Promise.all(Array.from({ length: 20 }, (_, i) => send(`\u00fc${i}@b.test`, MESSAGE)));
    expect(new Set(server.mails.flatMap(({ to }) => to)).size).toBe(20);
    expect(server.connections).toBeLessThanOrEqual(5);
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

describe('a message to a relay without 8BITMIME', () => {
  const TEXT = 'Gr\u00fc\u00dfe = \u{1f375} \r\n\r\n.\r\n..two\r\n\r\n';
  const HEAD = 'From: a@b\r\nSubject: x\r\n';
  const MIME = `${HEAD}MIME-Version: 1.0\r\n`;
  const PLAIN = 'Content-Type: text/plain; charset=utf-8\r\n';
  const sent = async (message: string, options = {}) => {
    const server = await relay({ hide8BITMIME: true, ...options });
    await mailer(server.port).send('a@b.test', Buffer.from(message));
    return server.nextMail();
  };
  const body = (raw: Buffer) => raw.toString('latin1').split('\r\n\r\n').slice(1).join('\r\n\r\n');

  test.each([
    ['none', ''],
    ['8bit', 'Content-Transfer-Encoding: 8bit\r\n'],
    ['8BIT, folded', 'CONTENT-transfer-ENCODING:\r\n 8BIT\r\n'],
    ['binary', 'Content-Transfer-Encoding: binary\r\n'],
    ['a wrong one', 'Content-Transfer-Encoding: 7bit\r\n'],
  ])('goes in seven bits where its transfer encoding is %s', async (_what, header) => {
    const { raw, parsed, body: announced } = await sent(`${MIME}${header}${PLAIN}\r\n${TEXT}`);
    expect(announced).toBe('7bit');
    expect(raw.every((octet) => octet < 0x80)).toBe(true);
    expect(raw.toString().match(/transfer-encoding/gi)).toHaveLength(1);
    expect(parsed.headers.get('content-transfer-encoding')).toBe('quoted-printable');
    expect(parsed.text).toBe(TEXT.replaceAll('\r\n', '\n'));
    expect(parsed.subject).toBe('x');
  });

  test('says what a mere text is', async () => {
    const { raw, parsed } = await sent(`${HEAD}\r\n${TEXT}`);
    expect(raw.every((octet) => octet < 0x80)).toBe(true);
    expect(parsed.headers.get('mime-version')).toBe('1.0');
    expect(parsed.headers.get('content-type')).toMatchObject({
      value: 'text/plain',
      params: { charset: 'utf-8' },
    });
    expect(parsed.text).toBe(TEXT.replaceAll('\r\n', '\n'));
  });

  test('part by part, in parts too, and only where it is needed', async () => {
    const base64 = Buffer.from(TEXT).toString('base64');
    const encoded = `${PLAIN}Content-Transfer-Encoding: base64\r\n\r\n${base64}\r\n`;
    const html = `Content-Type: text/html; charset=utf-8\r\n\r\n<p>gr\u00fcn</p>\r\n`;
    const ascii = `${PLAIN}\r\n--B\r\nplain\r\n`;
    const inner = `Content-Type: multipart/related;\r\n  Boundary=B_2\r\n\r\n--B_2\r\n${html}--B_2--\r\n`;
    const parts = [`\r\n${TEXT}`, encoded, ascii.replace('--B', '--C'), inner];
    const type =
      'Content-Type: multipart/mixed; boundary="B"\r\nContent-Transfer-Encoding: 8bit\r\n';
    const message = `${MIME}${type}\r\nbefore\r\n${parts.map((part) => `--B\r\n${part}`).join('')}--B--\r\nafter\r\n`;
    const { raw, parsed } = await sent(message);
    expect(raw.every((octet) => octet < 0x80)).toBe(true);
    const text = raw.toString();
    expect(text).toContain(encoded);
    expect(text).toContain('\r\nbefore\r\n--B\r\n');
    expect(text).toContain('\r\n--B--\r\nafter\r\n');
    expect(text).toContain('<p>gr=C3=BCn</p>');
    expect(text.match(/: quoted-printable/g)).toHaveLength(2);
    expect(text).not.toContain('8bit');
    expect(parsed.html).toContain('<p>gr\u00fcn</p>');
    expect(parsed.text?.match(/Gr\u00fc\u00dfe/g)).toHaveLength(2);
    expect(parsed.text).toContain('plain');
  });

  test.each([
    ['in seven bits', `${MIME}${PLAIN}\r\nplain\r\n`],
    ['encoded', `${MIME}${PLAIN}Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC\r\n`],
    ['without a body', 'Subject: gr\u00fcn\r\n'],
    ['of headers in eight bits', 'Subject: gr\u00fcn\r\n\r\nplain\r\n'],
    [
      'with a message in it',
      `${MIME}Content-Type: message/rfc822\r\n\r\nSubject: x\r\n\r\ngr\u00fcn\r\n`,
    ],
  ])('that is %s goes as it is', async (_what, message) => {
    expect((await sent(message)).raw.toString()).toBe(message);
  });

  test('of odd parts is not lost', async () => {
    const type = 'Content-Type: multipart/mixed; boundary="."\r\n';
    for (const parts of [
      '',
      '--.',
      '--.\r\n',
      '--.--',
      'gr\u00fcn',
      '--.\r\ngr\u00fcn',
      '--. \r\n\r\ngr\u00fcn',
    ]) {
      const message = `${MIME}${type}\r\n${parts}\r\n`;
      const { raw } = await sent(message);
      expect(raw.toString().replace('=C3=BC', '\u00fc')).toContain(parts.replace(/^.*\r\n/s, ''));
    }
    const deep = `${type}\r\n--.\r\n`.repeat(50);
    expect((await sent(`${MIME}${deep}\r\ngr\u00fcn\r\n`)).raw.length).toBeGreaterThan(deep.length);
  });

  test('goes in eight bits again when the relay has it, over other connections', async () => {
    const without = await sent(`${MIME}${PLAIN}\r\n${TEXT}`);
    const having = await sent(`${MIME}${PLAIN}\r\n${TEXT}`, { hide8BITMIME: false });
    expect([without.body, having.body]).toEqual(['7bit', '8bitmime']);
    expect(body(having.raw)).toBe(Buffer.from(TEXT).toString('latin1'));
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

describe('messages that wait for their turn', () => {
  const patient = { connect: 10_000, greeting: 10_000, socket: 10_000, total: 10_000 };

  test('are made no sooner, in the order in which they came', async () => {
    const letGo = Promise.withResolvers<void>();
    const server = await relay({
      onMailFrom: (_address, _session, done) => void letGo.promise.then(() => done()),
    });
    const made: number[] = [];
    const sender = mailer(server.port, '', { timeouts: patient });
    const sent = Array.from({ length: 40 }, (_, number) =>
      sender.send('a@b.test', async () => {
        made.push(number);
        return MESSAGE;
      }),
    );
    await expect.poll(() => server.connections).toBe(5);
    expect(made).toEqual([0, 1, 2, 3, 4]);
    letGo.resolve();
    await Promise.all(sent);
    expect(made).toEqual(Array.from({ length: 40 }, (_, number) => number));
    expect(server.connections).toBe(5);
  });

  test('and cannot be made take nobody’s place', async () => {
    const server = await relay();
    const sender = mailer(server.port);
    const fault = new Error('a template that cannot be used');
    for (let i = 0; i < 7; i++) {
      await expect(sender.send('a@b.test', () => Promise.reject(fault))).rejects.toBe(fault);
    }
    expect(server.connections).toBe(0);
    await sender.send('a@b.test', MESSAGE);
    expect(server.mails).toHaveLength(1);
  });

  test('longer than they may leave their places to others', async () => {
    const letGo = Promise.withResolvers<void>();
    const server = await relay({
      onMailFrom: (_address, _session, done) => void letGo.promise.then(() => done()),
    });
    const sender = mailer(server.port, '', { timeouts: { ...patient, total: 500 } });
    const outcomes = await Promise.allSettled(
      Array.from({ length: 30 }, () => sender.send('a@b.test', MESSAGE)),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(Array(30).fill('rejected'));
    letGo.resolve();
    await Promise.all(Array.from({ length: 10 }, () => sender.send('a@b.test', MESSAGE)));
    expect(server.mails).toHaveLength(10);
  });
});

test.each<[string, string, string | undefined, boolean]>([
  ['says nothing', '.', '', true],
  ['hangs up', '.', undefined, true],
  ['refuses the message', '.', '554 no', false],
  ['has no time for the message', '.', '451 later', false],
  ['is closing', '.', '421 bye', false],
  ['says nothing', 'DATA', '', false],
  ['hangs up', 'DATA', undefined, false],
  ['refuses the address', 'RCPT', '550 no', false],
])(
  'whether a mail may have gone out, when a relay %s at %s',
  async (_what, at, answer, expected) => {
    const port = await scriptedRelay((line) => {
      if (line.startsWith(at)) return answer;
      return line === 'DATA' ? '354 go on' : '250 yes';
    });
    const impatient = { connect: 300, greeting: 300, socket: 300, total: 1500 };
    const error = await mailer(port, '', { timeouts: impatient })
      .send('a@b.test', MESSAGE)
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ fault: 'email-not-sent' });
    expect(isOutcomeUnknown(error)).toBe(expected);
  },
);
