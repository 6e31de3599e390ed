import { expect, test } from 'vitest';
import type { ApiDescription } from '../../src/listeners/http/openapi.ts';
import { get, postJson, request } from '../support/http.ts';
import { startTestServer } from '../support/server.ts';

/** The names under which Sydent 2.7 counts requests, by path; in both versions where both have it. */
const SERVLETS: Readonly<Record<string, string>> = {
  '/versions': 'VersionsServlet',
  '/api/v1': 'V1Servlet',
  '/v2': 'V2Servlet',
  '/validate/email/requestToken': 'EmailRequestCodeServlet',
  '/validate/email/submitToken': 'EmailValidateCodeServlet',
  '/validate/msisdn/requestToken': 'MsisdnRequestCodeServlet',
  '/validate/msisdn/submitToken': 'MsisdnValidateCodeServlet',
  '/3pid/getValidated3pid': 'GetValidated3pidServlet',
  '/3pid/bind': 'ThreePidBindServlet',
  '/3pid/unbind': 'ThreePidUnbindServlet',
  '/lookup': 'LookupServlet',
  '/bulk_lookup': 'BulkLookupServlet',
  '/hash_details': 'HashDetailsServlet',
  '/pubkey/{keyId}': 'Ed25519Servlet',
  '/pubkey/isvalid': 'PubkeyIsValidServlet',
  '/pubkey/ephemeral/isvalid': 'EphemeralPubkeyIsValidServlet',
  '/store-invite': 'StoreInviteServlet',
  '/sign-ed25519': 'BlindlySignStuffServlet',
  '/terms': 'TermsServlet',
  '/account': 'AccountServlet',
  '/account/register': 'RegisterServlet',
  '/account/logout': 'LogoutServlet',
};

function servletOf(path: string): string | undefined {
  if (path === '/_matrix/identity/v2/lookup') return 'LookupV2Servlet';
  const bare = path.replace('/_matrix/identity', '');
  return SERVLETS[bare] ?? SERVLETS[bare.replace(/^\/(v2|api\/v1)(?=\/)/, '')];
}

test('requests are counted under the names that Sydent’s dashboards know', async () => {
  const server = await startTestServer();
  try {
    const { json } = await get(`${server.url}/_matrix/identity/openapi.json`);
    const expected = new Map<string, number>();
    const count = (servlet: string, method: string) => {
      const label = `servlet="${servlet}",method="${method}"`;
      expected.set(label, (expected.get(label) ?? 0) + 1);
    };
    for (const [path, methods] of Object.entries((json as ApiDescription).paths)) {
      for (const method of Object.keys(methods).map((name) => name.toUpperCase())) {
        const servlet = servletOf(path);
        if (servlet === undefined) continue;
        count(servlet, method);
        // Whatever is answered, it is counted.
        await request(`${server.url}${path.replace('{keyId}', 'ed25519:0')}`, { method });
      }
    }
    for (const [action, servlet] of [
      ['bind', 'AuthenticatedBindThreePidServlet'],
      ['unbind', 'AuthenticatedUnbindThreePidServlet'],
    ] as const) {
      count(servlet, 'POST');
      await postJson(`${server.internalUrl}/_matrix/identity/internal/${action}`, {});
    }
    expect(new Set(Object.values(SERVLETS))).toEqual(
      new Set(
        [...expected.keys()]
          .map((label) => /"(\w+)"/.exec(label)?.[1] ?? '')
          .filter((name) => name !== 'LookupV2Servlet' && !name.startsWith('Authenticated')),
      ),
    );
    const { text } = await get(`${server.metricsUrl}/metrics`);
    for (const [label, times] of expected) {
      expect(text).toContain(`sydent_http_received_requests_total{${label}} ${times}\n`);
    }
  } finally {
    await server.stop();
  }
});

test('mails are counted when they are tried, taken or not', async () => {
  const server = await startTestServer();
  try {
    const ask = (send_attempt: number) =>
      postJson(`${server.url}/_matrix/identity/api/v1/validate/email/requestToken`, {
        email: 'ada@sample.test',
        client_secret: 'secret',
        send_attempt,
      });
    expect((await ask(1)).status).toBe(200);
    server.smtp.refuse(550);
    expect((await ask(2)).status).toBe(400);
    const { text } = await get(`${server.metricsUrl}/metrics`);
    expect(text).toMatch(/^sydent_emails_sent_total 2$/m);
  } finally {
    await server.stop();
  }
});
