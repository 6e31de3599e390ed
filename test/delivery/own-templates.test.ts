import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../support/databases.ts';
import { postJson } from '../support/http.ts';
import { INVITE } from '../support/invitations.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const HEADERS = `Date: %(date)s
From: %(from)s
To: %(to)s
Message-ID: %(messageid)s
Subject: Bestätigung
`;
/** As they stand in deployments: whole messages, in UTF-8, nothing said of their encoding. */
const TEMPLATES = {
  'verification_template.eml': `${HEADERS}
Grüße! Der Code ist %(token)s, der Link %(link)s
`,
  'invite_template.eml.j2': `From: {{ from|safe }}
To: {{ to|safe }}
Subject: {{ subject_header_value|safe }}
MIME-Version: 1.0
Content-Type: multipart/alternative;
    boundary="{{ multipart_boundary|safe }}"

--{{ multipart_boundary|safe }}
Content-Type: text/plain; charset=UTF-8
Content-Disposition: inline

{{ sender_display_name|safe }} lädt ein.

--{{ multipart_boundary|safe }}
Content-Type: text/html; charset=UTF-8

<p>{{ sender_display_name }} lädt ein.</p>

--{{ multipart_boundary|safe }}--
`,
};

describe.each([false, true])(
  'an operator’s template in 8 bits, 8BITMIME hidden: %s',
  (hide8BITMIME) => {
    let folder: Awaited<ReturnType<typeof temporaryFolder>>;
    let server: TestServer;
    beforeAll(async () => {
      folder = await temporaryFolder();
      await mkdir(path.join(folder.path, 'own'));
      for (const [name, text] of Object.entries(TEMPLATES)) {
        await writeFile(path.join(folder.path, 'own', name), text);
      }
      server = await startTestServer({
        sections: { general: `templates.path = ${folder.path}\nbrand.default = own` },
        smtp: { hide8BITMIME },
      });
    });
    afterAll(async () => {
      await server.stop();
      await folder.remove();
    });

    const v1 = () => `${server.url}/_matrix/identity/api/v1`;
    const encoding = hide8BITMIME ? 'quoted-printable' : '8bit';
    const bodyOf = (raw: Buffer) => raw.subarray(raw.indexOf('\r\n\r\n'));

    test('says how it is encoded, and is what it was', async () => {
      const asked = { email: 'ada@sample.test', client_secret: 'a', send_attempt: 1 };
      expect((await postJson(`${v1()}/validate/email/requestToken`, asked)).status).toBe(200);
      const { raw, parsed, body } = await server.smtp.nextMail();
      expect(body).toBe(hide8BITMIME ? '7bit' : '8bitmime');
      expect(parsed.headers.get('content-transfer-encoding')).toBe(encoding);
      expect(parsed.text).toMatch(
        /^Grüße! Der Code ist \w{32}, der Link https:\/\/id\.test\/\S+token=/,
      );
      expect(bodyOf(raw).some((octet) => octet > 0x7f)).toBe(!hide8BITMIME);
    });

    test('says so in each of its parts', async () => {
      const invitation = { ...INVITE, address: 'grace@sample.test', sender_display_name: 'Ädä' };
      expect((await postJson(`${v1()}/store-invite`, invitation)).status).toBe(200);
      const { raw, parsed } = await server.smtp.nextMail();
      const said = raw.toString('latin1').match(/^Content-Transfer-Encoding: .*$/gim);
      expect(said).toEqual(
        Array(hide8BITMIME ? 2 : 3).fill(`Content-Transfer-Encoding: ${encoding}`),
      );
      expect(parsed.text).toContain('Ädä lädt ein.');
      expect(parsed.html).toContain('<p>Ädä lädt ein.</p>');
      expect(parsed.subject).toContain('Ädä');
      expect(bodyOf(raw).some((octet) => octet > 0x7f)).toBe(!hide8BITMIME);
    });
  },
);
