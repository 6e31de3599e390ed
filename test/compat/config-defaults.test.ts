import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { SIGNING_KEY } from '../support/server.ts';

/** What stands for each key of Sydent 2.7 that a file leaves out, and another value that it may have. */
const DEFAULTS: readonly (readonly [section: string, key: string, value: string, other: string])[] =
  [
    ['general', 'log.path', '', '/var/log/sydent.log'],
    ['general', 'log.level', 'INFO', 'ERROR'],
    ['general', 'pidfile.path', 'sydent.pid', '/run/sydent.pid'],
    ['general', 'terms.path', '', '/etc/terms.yaml'],
    ['general', 'address_lookup_limit', '10000', '20'],
    ['general', 'templates.path', 'res', '/etc/templates'],
    ['general', 'brand.default', 'matrix-org', 'vector-im'],
    ['general', 'enable_v1_associations', 'true', 'false'],
    ['general', 'enable_v1_access', 'true', 'false'],
    ['general', 'delete_tokens_on_bind', 'true', 'false'],
    ['general', 'ip.blacklist', '', '192.0.2.0/24'],
    ['general', 'ip.whitelist', '', '10.1.2.3'],
    ['db', 'db.file', 'sydent.db', ':memory:'],
    ['http', 'clientapi.http.bind_address', '::', '127.0.0.1'],
    ['http', 'clientapi.http.port', '8090', '80'],
    ['http', 'internalapi.http.bind_address', '::1', '127.0.0.1'],
    ['http', 'obey_x_forwarded_for', 'False', 'True'],
    ['http', 'federation.verifycerts', 'True', 'False'],
    ['email', 'email.from', 'Sydent Validation <noreply@{hostname}>', 'a@b.test'],
    ['email', 'email.subject', 'Your Validation Token', 'Hello'],
    [
      'email',
      'email.invite.subject',
      '%(sender_display_name)s has invited you to chat',
      'Come to %(room_name)s',
    ],
    [
      'email',
      'email.invite.subject_space',
      '%(sender_display_name)s has invited you to a space',
      'Come to %(room_name)s',
    ],
    ['email', 'email.smtphost', 'localhost', 'mail.test'],
    ['email', 'email.smtpport', '25', '587'],
    ['email', 'email.smtpusername', '', 'me'],
    ['email', 'email.smtppassword', '', 'hush'],
    ['email', 'email.hostname', '', 'mail.test'],
    ['email', 'email.tlsmode', '0', 'STARTTLS'],
    ['email', 'email.default_web_client_location', 'https://app.element.io', 'https://app.test'],
    ['email', 'email.third_party_invite_username_obfuscate_characters', '3', '1'],
    ['email', 'email.third_party_invite_domain_obfuscate_characters', '3', '1'],
    ['email', 'email.third_party_invite_homeserver_blocklist', '', '\n  evil.test'],
    ['email', 'email.third_party_invite_room_blocklist', '', '\n  !spam:evil.test'],
    ['email', 'email.third_party_invite_keyword_blocklist', '', '\n  casino'],
    ['email', 'email.ratelimit_sender.burst', '5', '6'],
    ['email', 'email.ratelimit_sender.rate_hz', '0.0033333333333333335', '1'],
    ['sms', 'bodyTemplate', 'Your code is {token}', '{token}'],
    ['sms', 'username', '', 'me'],
    ['sms', 'password', '', 'hush'],
    ['sms', 'msisdn.ratelimit.burst', '5', '6'],
    ['sms', 'msisdn.ratelimit.rate_hz', '0.0002777777777777778', '1'],
    ['sms', 'country.ratelimit.burst', '50', '6'],
    ['sms', 'country.ratelimit.rate_hz', '0.016666666666666666', '1'],
  ];

/** What a key needs beside it to mean anything. */
const BESIDE: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'internalapi.http.bind_address': { http: 'internalapi.http.port = 8091' },
};

function configWith(key: string, section: string, value?: string) {
  const lines: Record<string, string> = {
    general: 'server.name = id.test\n',
    crypto: `ed25519.signingkey = ${SIGNING_KEY}\n`,
  };
  for (const [name, text] of [
    ...Object.entries(BESIDE[key] ?? {}),
    ...(value === undefined ? [] : [[section, `${key} = ${value}`] as const]),
  ]) {
    lines[name] = `${lines[name] ?? ''}${text}\n`;
  }
  const text = Object.entries(lines)
    .map(([name, body]) => `[${name}]\n${body}`)
    .join('\n');
  return parseConfig('sydent.conf', text, { env: {}, hostname: 'host.test' }).config;
}

describe('a key that is not there means what it meant to Sydent', () => {
  test.each(DEFAULTS)('[%s] %s = %s', (section, key, value, other) => {
    const without = configWith(key, section);
    expect(configWith(key, section, value)).toEqual(without);
    expect(configWith(key, section, other)).not.toEqual(without);
  });

  test('without a port there is no internal API, without a certificate no replication', () => {
    const { http } = configWith('', '');
    expect([http.internalApi, http.replication]).toEqual([undefined, undefined]);
    expect(configWith('internalapi.http.port', 'http', '').http.internalApi).toBeUndefined();
    expect(configWith('internalapi.http.port', 'http', '8091').http.internalApi).toEqual({
      address: '::1',
      port: 8091,
      token: undefined,
    });
  });
});
