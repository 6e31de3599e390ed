import { domainToASCII } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { foldAddress, mailboxOf, parseThreePid } from '../../src/model/addresses.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** One mailbox has one such form: no relay tells letters apart by more than ASCII's case. */
function mailbox(address: string): string {
  const at = address.lastIndexOf('@') + 1;
  const local = address.slice(0, at).replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return local + domainToASCII(address.slice(at));
}

describe.each(ENGINES)('what is bound is the mailbox that was proven, on %s:', (engine) => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({
      engine,
      sections: { email: 'email.ratelimit_sender.burst = 1000' },
    });
  });
  afterAll(() => server.stop());
  const v1 = (path: string) => `${server.url}/_matrix/identity/api/v1${path}`;

  test.each([
    ['victim@faß.example', 'victim@fass.example'],
    ['victim@ﬁsh.example', 'victim@fish.example'],
    ['victim@ſample.example', 'victim@sample.example'],
    ['victim@ｆｕｌｌ.example', 'victim@full.example'],
    ['victim@XN--FA-HIA.example', 'victim@xn--fa-hia.example'],
    ['Guest@XN--BCHER-KVA.example', 'guest@bücher.example'],
    ['victim@ΛΌΓΟΣ.example', 'victim@λόγοσ.example'],
    ['victim@BÜCHER.example', 'victim@bücher.example'],
    ['straße@one.example', 'strasse@one.example'],
    ['ﬂower@one.example', 'flower@one.example'],
    ['\u212aelvin@one.example', 'kelvin@one.example'],
    ['ſ@one.example', 's@one.example'],
    ['Case@One.example', 'case@one.example'],
  ])('%s', async (typed, bound) => {
    const secret = { client_secret: 'secret' };
    const asked = await postJson(v1('/validate/email/requestToken'), {
      ...secret,
      email: typed,
      send_attempt: 1,
    });
    expect(asked.status).toBe(200);
    const mail = await server.smtp.nextMail();
    const token = /token=([A-Za-z0-9]{32})/.exec(mail.parsed.text ?? '')?.[1];
    const session = { ...secret, sid: asked.json.sid };
    await postJson(v1('/validate/email/submitToken'), { ...session, token });
    const { json } = await postJson(v1('/3pid/bind'), { ...session, mxid: '@eve:hs.test' });
    expect(json.address).toBe(bound);
    expect(mail.to.map(mailbox)).toEqual([mailbox(bound)]);
    const found = await get(v1('/lookup'), { medium: 'email', address: typed });
    expect(found.json.mxid).toBe('@eve:hs.test');
  });

  test('an invitation goes to the mailbox for which it is kept', async () => {
    const { status } = await postJson(v1('/store-invite'), {
      medium: 'email',
      address: 'guest@faß.example',
      room_id: '!r:hs.test',
      sender: '@ada:hs.test',
    });
    expect(status).toBe(200);
    expect((await server.smtp.nextMail()).to).toEqual(['guest@fass.example']);
  });

  test('a domain that DNS cannot have is refused', async () => {
    const { json } = await postJson(v1('/validate/email/requestToken'), {
      email: 'a@\u0300bad.example',
      client_secret: 'secret',
      send_attempt: 1,
    });
    expect(json.errcode).toBe('M_INVALID_EMAIL');
  });
});

test('whatever is typed, mail goes to the mailbox of the folded address', () => {
  const letter = fc.oneof(
    fc.constantFrom(...'aZß\u1e9eſ\u212aσςΣİıﬁﬀｅＡéÉ\u0301üǅΐ.'),
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }),
  );
  const word = fc.array(letter, { minLength: 1, maxLength: 8 }).map((letters) => letters.join(''));
  fc.assert(
    fc.property(word, word, (local, domain) => {
      const threepid = parseThreePid('email', `${local}@${domain}`);
      if (threepid === undefined) return;
      const to = mailboxOf(threepid);
      // Typed as DNS has it, the domain stays that domain.
      const inDns = parseThreePid('email', `${local}@${domainToASCII(domain)}`);
      if (inDns !== undefined) {
        expect(domainToASCII(inDns.address.split('@').at(-1) ?? '')).toBe(domainToASCII(domain));
        expect(foldAddress('email', inDns.address)).toBe(inDns.address);
        expect(domainToASCII(mailboxOf(inDns).split('@').at(-1) ?? '')).toBe(domainToASCII(domain));
        // Bound in letters or as DNS has it, what has that domain in the end is one.
        const same = domainToASCII(threepid.address.split('@').at(-1) ?? '');
        if (same === domainToASCII(domain)) expect(inDns.address).toBe(threepid.address);
      }
      expect(foldAddress('email', to)).toBe(foldAddress('email', threepid.address));
      // Letter by letter, no mailbox but that one.
      const small = (text: string) => [...text].map((one) => one.toLowerCase());
      if (to === threepid.typed) expect(small(to)).toEqual(small(threepid.address));
      else expect(to).toBe(threepid.address);
    }),
    { numRuns: 2000, seed: 1 },
  );
});
