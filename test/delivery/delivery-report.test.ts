import { describe, expect, test } from 'vitest';
import { MAX_REPORT, readDeliveryReport } from '../../src/delivery/mail/delivery-report.ts';
import { deliveryReport } from '../support/delivery-reports.ts';

const read = (text: string) => readDeliveryReport(Buffer.from(text));
const returned = 'Date: x\nTo: Ada <ada@sample.test>\nMessage-ID:\n <abc@id.test>';

/** As others make them: what differs in each is how it is written. */
const OTHERS: Readonly<Record<string, string>> = {
  Exim: `Content-Type: multipart/report; report-type=delivery-status; boundary=1764-eximdsn-5

--1764-eximdsn-5
Content-type: text/plain; charset=us-ascii

This message was created automatically by mail delivery software.

--1764-eximdsn-5
Content-type: message/delivery-status

Reporting-MTA: dns; mx.sample.test

Action: failed
Final-Recipient: rfc822;ada@sample.test
Status: 5.0.0
Remote-MTA: dns; mail.sample.test
Diagnostic-Code: smtp; 550 No such user

--1764-eximdsn-5
Content-type: message/rfc822

Received: from id.test
To: ada@sample.test
Message-ID: <abc@id.test>

The whole mail
--1764-eximdsn-5--
`,
  'an Exchange in quoted-printable and base64': `MIME-Version: 1.0
content-type: Multipart/Report;
 boundary="_x_"; report-type="delivery-status"

--_x_
Content-Type: multipart/alternative; boundary="_y_"

--_y_
Content-Type: text/html

<p>Action: failed</p>
--_y_--
--_x_
Content-Type: message/delivery-status
Content-Transfer-Encoding: quoted-printable

Reporting-MTA: dns;mx.sample.test

FINAL-RECIPIENT: rfc822;ada@sample.test
action: Failed
Status: 5.0.0 (undefined)
Diagnostic-Code: smtp;550 No such=20us=
er
Remote-MTA: dns;mail.sample.test

--_x_
Content-Type: text/rfc822-headers
Content-Transfer-Encoding: base64

${Buffer.from('To: <ada@sample.test>\r\nMessage-ID: <abc@id.test>\r\n').toString('base64')}
--_x_--
`,
  'a server with addresses in UTF-8, passed on': `Content-Type: multipart/mixed; boundary=out

--out
Content-Type: multipart/report; report-type=delivery-status; boundary=in

--in
Content-Type: message/global-delivery-status

Reporting-MTA: dns; mx.sample.test


Final-Recipient: utf-8; ada@sample.test
Action: failed
Status: 5.0.0
Remote-MTA: dns; mail.sample.test
Diagnostic-Code: smtp; 550 No
 such
\tuser

--in
Content-Type: message/global-headers

To: ada@sample.test
Message-ID: <abc@id.test>

--in--
--out
Content-Type: text/plain

The footer of a list
--out--
`,
};

describe('a report on the delivery of a mail', () => {
  test('says what became of which mail', () => {
    for (const eol of ['\n', '\r\n', '\r']) {
      const text = deliveryReport({
        returned,
        finalRecipient: 'else@sample.test',
        originalRecipient: 'rfc822;ada@sample.test',
      });
      expect(read(text.replaceAll('\n', eol))).toEqual({
        event: 'bounced',
        messageId: '<abc@id.test>',
        addresses: ['ada@sample.test', 'ada@sample.test', 'else@sample.test'],
        status: '5.1.1',
        reply: '550 5.1.1 No such user',
        remote: 'mail.sample.test',
      });
    }
  });

  test.each(Object.entries(OTHERS))('is understood as %s makes it', (_name, text) => {
    expect(read(text)).toMatchObject({
      event: 'bounced',
      messageId: '<abc@id.test>',
      addresses: ['ada@sample.test', 'ada@sample.test'],
      status: '5.0.0',
      reply: '550 No such user',
      remote: 'mail.sample.test',
    });
  });

  test.each([
    ['delayed', 'delayed'],
    ['relayed (to a fax)', 'delivered'],
    ['delivered', 'delivered'],
    ['Failed', 'bounced'],
    ['gone', undefined],
    ['', undefined],
  ])('of the action %j is %s', (action, event) => {
    expect(read(deliveryReport({ action, returned }))?.event).toBe(event);
  });

  test('names the mail by what was asked for with it, where no headers come back', () => {
    expect(read(deliveryReport({ envelopeId: 'abc@id.test' }))).toMatchObject({
      messageId: '<abc@id.test>',
      addresses: ['nobody@sample.test'],
    });
    expect(read(deliveryReport({}))).toMatchObject({ messageId: undefined });
  });

  test('of several recipients is the worst', () => {
    const two = deliveryReport({ action: 'delayed', returned }).replace(
      '\n\n--4XyZ1.1764226800/mx.sample.test\nContent-Description: Undelivered',
      '\n\nFinal-Recipient: rfc822; b@sample.test\nAction: failed\nStatus: 5.2.2\n$&',
    );
    expect(read(two)).toMatchObject({ event: 'bounced', status: '5.2.2', reply: undefined });
  });

  test('has no more text than is of use, and none that a terminal obeys', () => {
    const diagnostic = `smtp; 550 \u001b[31mé\u202e${'x'.repeat(5000)}`;
    const found = read(deliveryReport({ diagnostic, returned, finalRecipient: 'y'.repeat(5000) }));
    expect(found?.reply).toMatch(/^550 \[31mé xxx/);
    expect(found?.reply).toHaveLength(300);
    expect(found?.addresses[1]).toHaveLength(500);
    const half = deliveryReport({ diagnostic: '', returned }).replace(
      'Code: ',
      'Code: a; \xff\xc3',
    );
    expect(readDeliveryReport(Buffer.from(half, 'latin1'))?.reply?.isWellFormed()).toBe(true);
  });

  test.each([
    ['nothing', ''],
    ['a word', 'Action: failed'],
    ['a mail', 'Subject: x\n\nAction: failed\nStatus: 5.0.0'],
    [
      'an answer from a holiday',
      'Content-Type: multipart/mixed; boundary=x\n\n--x\n\nback soon\n--x--',
    ],
    [
      'a receipt',
      deliveryReport({}).replace('message/delivery-status', 'message/disposition-notification'),
    ],
    ['no boundary', deliveryReport({}).replace(/;\n\tboundary=.*/, '')],
    ['an empty boundary', deliveryReport({}).replace(/boundary=.*/, 'boundary=""')],
    [
      'an endless boundary',
      deliveryReport({}).replaceAll('4XyZ1.1764226800/mx.sample.test', 'x'.repeat(300)),
    ],
    ['parts in parts', nested(30)],
    [
      'octets',
      Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 37) % 256)).toString('latin1'),
    ],
  ])('is not: %s', (_name, text) => {
    expect(read(text)).toBeUndefined();
  });

  test('is read as far as a report reaches, and the rest is not looked at', () => {
    const whole = deliveryReport({ returned }).replace(/--\n$/, `\n\n${'x'.repeat(MAX_REPORT)}`);
    expect(read(whole)?.messageId).toBe('<abc@id.test>');
    const parts = '--4XyZ1.1764226800/mx.sample.test\n\nx\n'.repeat(5000);
    const many = deliveryReport({ returned }).replace(
      /(?=--4XyZ1.1764226800\/mx.sample.test\nContent-Description: Notif)/,
      parts,
    );
    expect(read(many)).toBeUndefined();
  });
});

function nested(levels: number): string {
  let text = 'Content-Type: message/delivery-status\n\nAction: failed\nStatus: 5.0.0\n';
  for (let i = 0; i < levels; i++) {
    text = `Content-Type: multipart/mixed; boundary=b${i}x\n\n--b${i}x\n${text}\n--b${i}x--\n`;
  }
  return text;
}
