import { rmSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SECTIONS, unknownNames } from '../../src/config/known-keys.ts';
import { parseConfig } from '../../src/config/load.ts';
import { addressIn, oneLine } from '../../src/config/mail-values.ts';
import { pythonFloat, pythonInt } from '../../src/config/numbers.ts';
import { parseIni } from '../../src/config/parser.ts';
import { databaseNamed } from '../../src/config/sections/db.ts';
import { peerKeys } from '../../src/config/sections/peers.ts';
import { withRotatedKey, withSigningKey } from '../../src/config/signing-key-lines.ts';
import { readDeliveryReport } from '../../src/delivery/mail/delivery-report.ts';
import { encodeHeaderText } from '../../src/delivery/mail/header-text.ts';
import { asciiDomain } from '../../src/delivery/mail/message.ts';
import { failureOf, takenBy } from '../../src/delivery/mail/relay-outcome.ts';
import { inSevenBits, labelled } from '../../src/delivery/mail/transfer-encoding.ts';
import { headerText, jsonMembers } from '../../src/delivery/sms/provider.ts';
import { escapeHtml, escapeUrl } from '../../src/delivery/templates/escaping.ts';
import { compileJinja } from '../../src/delivery/templates/jinja.ts';
import { compilePercent } from '../../src/delivery/templates/percent.ts';
import { jsonObject } from '../../src/homeservers/json.ts';
import { parseXMatrix } from '../../src/homeservers/x-matrix.ts';
import { storedAddress } from '../../src/identity/associations/lookup-keys.ts';
import { bareWords } from '../../src/identity/invitations/bare-words.ts';
import {
  cleanText,
  hasBlockedWord,
  redactAddress,
  textsOf,
} from '../../src/identity/invitations/invitation-text.ts';
import { visibleText } from '../../src/identity/invitations/visible-text.ts';
import { mailCharges } from '../../src/identity/limits/charges.ts';
import { homeserverKey, homeserverName } from '../../src/identity/limits/homeserver-accounts.ts';
import { patternOfReply } from '../../src/identity/messages/reply-patterns.ts';
import { isAdminToken } from '../../src/identity/operators/admin-tokens.ts';
import { browserOf, formTokenOf, isOwnerToken } from '../../src/identity/owners/owner-tokens.ts';
import { sameSecret } from '../../src/identity/secrets.ts';
import { nextLinkWithSid, usableNextLink } from '../../src/identity/validation/next-link.ts';
import { isShortCodeOf } from '../../src/identity/validation/short-code.ts';
import { ownerCookie } from '../../src/listeners/client-api/endpoints/owner/browser.ts';
import { textArguments } from '../../src/listeners/http/arguments.ts';
import { bearerOf, requireToken, tokenReader } from '../../src/listeners/http/authentication.ts';
import { clientNetwork, clientReader } from '../../src/listeners/http/client-address.ts';
import type { RequestContext } from '../../src/listeners/http/endpoint.ts';
import * as fields from '../../src/listeners/http/fields.ts';
import { decodeUtf8, parseQuery, urlencodedPairs } from '../../src/listeners/http/form.ts';
import { parseJson } from '../../src/listeners/http/json.ts';
import { boundaryOf, multipartPairs } from '../../src/listeners/http/multipart.ts';
import { readBound, readThreePid } from '../../src/listeners/internal-api/threepid.ts';
import { requireJson } from '../../src/listeners/replication-api/push.ts';
import {
  foldAddress,
  hashedSpellings,
  isEmailAddress,
  mailboxOf,
  parseThreePid,
  plainMailbox,
} from '../../src/model/addresses.ts';
import { isBrandName } from '../../src/model/brand.ts';
import { foldCase } from '../../src/model/case-folding.ts';
import { inAscii, inUnicode } from '../../src/model/domain-names.ts';
import { preferredLanguage } from '../../src/model/languages.ts';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { homeserverOf, parseMxid } from '../../src/model/mxid.ts';
import { isReachableName, isSameServer, isServerName } from '../../src/model/server-name.ts';
import { shortenedAddress } from '../../src/model/shortened-address.ts';
import { parseWebClient } from '../../src/model/web-client.ts';
import {
  parseAddress,
  parseEmailAddress,
  readTime,
  subjectIn,
} from '../../src/operations/input.ts';
import { parseDsn } from '../../src/platform/error-reports.ts';
import { createFingerprint } from '../../src/platform/fingerprint.ts';
import { parseHostsLine } from '../../src/platform/hosts-file.ts';
import { ipv6Parts, isLoopback, mappedIpv4 } from '../../src/platform/ip-addresses.ts';
import { createHostsFile } from '../../src/platform/outbound/hosts-file.ts';
import { createPhoneNumbers } from '../../src/platform/phone-numbers.ts';
import { registrableDomain } from '../../src/platform/registrable-domain.ts';
import { isTopLevelDomain } from '../../src/platform/top-level-domains.ts';
import { readSettings } from '../../src/platform/tracing/settings.ts';
import { withoutTrailing } from '../../src/platform/without-trailing.ts';
import { namesOf } from '../../src/replication/certificates.ts';
import { peerKey } from '../../src/replication/peers.ts';
import { parseAssociation } from '../../src/replication/received-association.ts';
import { parseAsWritten } from '../../src/replication/written-numbers.ts';
import { decodeBase64, encodeBase64 } from '../../src/signing/base64.ts';
import { canonicalJson } from '../../src/signing/canonical-json.ts';
import { WORDS } from '../support/words.ts';

/** How a function of `src` reads a text, and of what texts are made that it nearly takes. */
export interface Parser {
  /** The exported functions that this one tries. */
  readonly names: readonly string[];
  readonly read: (text: string) => unknown;
  /** What is repeated without end, beside what every parser is tried with. */
  readonly pieces?: readonly string[];
  /** What stands before that. */
  readonly starts?: readonly string[];
  /** What stands behind it. */
  readonly ends?: readonly string[];
}

const EMAIL = {
  starts: ['', 'a@'],
  pieces: ['a.', 'é.', 'xn--', 'a@', 'ß', 'ﬃ'],
  ends: ['', '!'],
};
const HOST = {
  starts: ['', '[', '@a:'],
  pieces: ['a.', '1:', '1.', '::', 'é.'],
  ends: ['', ']', ':1'],
};
const JSON_TEXT = {
  starts: ['', '{"a":', '"'],
  pieces: ['"a":1,', '{"a":', '[]', '\\"', '\\u0061', '1,', '"a",', '{}'],
  ends: ['', '}', '"'],
};
const FORM = { pieces: ['a=b&', '&', '%41', '%', '%4', '+', '=', 'a[]=b&'] };
const MAIL = {
  starts: ['', 'A: b\r\n\r\n', 'Content-Type: multipart/mixed; boundary=X\r\n\r\n'],
  pieces: ['--X\r\n', '--X\r\n\r\n', '\r\n', ' \r\n', 'A: b\r\n', ' b\r\n', 'é', '=\r\n', ';a="'],
  ends: ['', '--X--', '\r\n\r\né'],
};
const INI = {
  starts: ['', '[a]\n', '[a]\nb = '],
  pieces: [
    '[a]\n',
    'a = b\n',
    'a\n',
    ' a\n',
    '\n',
    '%(a)s',
    '%%',
    '%',
    '# a\n',
    '= ',
    'a: ',
    '\r',
    '[',
  ],
  ends: ['', '\n', ']', '\nb = %(a)s'],
};

const quiet = { info: () => {}, warn: () => {} } as never;
const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return { [text]: [text] };
  }
};
const drain = (pairs: Iterable<unknown>) => {
  for (const _pair of pairs);
};

const tokenOf = tokenReader(true);
const readers = [[], ['10.0.0.0/8', '::/8']].map((trustedProxies) =>
  clientReader({ obeyXForwardedFor: true, trustedProxies, trustedNetworks: [] }),
);
const phones = createPhoneNumbers();
const fingerprint = createFingerprint(Buffer.alloc(8));
const environment = { env: {}, hostname: 'id.test', random: undefined } as never;
const file = path.join(tmpdir(), `cognomen-hosts-${process.pid}`);

const FIELDS = Object.values(fields).filter((value) => typeof value === 'object');

/** How values of the configuration are read, each way once. */
const KEY_PARSERS = new Set(
  [...Object.values(SECTIONS).flat(), ...Object.values(peerKeys('peer.x'))].map(
    ({ parse }) => parse,
  ),
);
/** What these are made of. */
const KEY_FUNCTIONS = [
  'addressesWithPort',
  'aliases',
  'baseUrl',
  'boolean',
  'brand',
  'burst',
  'days',
  'dsn',
  'homeservers',
  'hours',
  'httpUrl',
  'lines',
  'list',
  'logLevel',
  'networks',
  'onlyTrue',
  'positive',
  'rate',
  'rateOrOff',
  'text',
  'tlsMode',
  'trustedHomeservers',
];

/** Every parser of `src`; the test finds those that are missing here. */
export const PARSERS: readonly Parser[] = [
  {
    names: ['foldAddress', 'hashedSpellings'],
    read: (text) =>
      hashedSpellings({ medium: 'email', address: foldAddress('email', text), typed: text }),
    ...EMAIL,
  },
  { names: ['isEmailAddress'], read: isEmailAddress, ...EMAIL },
  {
    names: ['mailboxOf'],
    read: (text) => mailboxOf({ medium: 'email', address: text, typed: text.toUpperCase() }),
    ...EMAIL,
  },
  { names: ['parseThreePid'], read: (text) => parseThreePid('email', text), ...EMAIL },
  { names: ['parseThreePid'], read: (text) => parseThreePid('msisdn', text) },
  {
    names: ['readSettings'],
    read: (text) =>
      readSettings({
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://collector.test',
        OTEL_EXPORTER_OTLP_HEADERS: text,
        OTEL_RESOURCE_ATTRIBUTES: text,
        OTEL_TRACES_EXPORTER: `otlp,${text}`,
      }),
    pieces: ['a=b,', 'a=%20', ',', ' ,', '=', '%'],
  },
  {
    names: ['parseDsn'],
    read: parseDsn,
    starts: ['', 'https://a@b/', 'https://'],
    pieces: ['/', '/1', '1', 'a@'],
    ends: ['', '/1', '/a'],
  },
  {
    names: ['readThreePid', 'readBound'],
    read: (text) => [readBound('msisdn', text), readThreePid('msisdn', text)],
    starts: ['', '+', '+1'],
  },
  {
    names: ['readThreePid', 'readBound'],
    read: (text) => [readBound('email', text), readThreePid('email', text)],
    ...EMAIL,
  },
  {
    names: ['storedAddress'],
    read: (text) =>
      storedAddress({ medium: 'email', address: text }, JSON.stringify({ address: text })),
    ...EMAIL,
  },
  {
    names: ['redactAddress'],
    read: (text) => redactAddress(text, { username: 3, domain: 3 }),
    ...EMAIL,
  },
  {
    names: ['mailCharges', 'plainMailbox'],
    read: (text) =>
      plainMailbox(text) &&
      mailCharges({ version: 'v2', user: 'a', address: 'a', networks: [] }, text, text),
    ...EMAIL,
    pieces: ['a+', '+', '@'],
  },
  { names: ['asciiDomain'], read: asciiDomain, ...EMAIL },
  {
    names: ['addressIn'],
    read: addressIn,
    starts: ['', '<', '"'],
    pieces: ['<a', '" <', '<a@b.c>', '\\"'],
    ends: ['', '>', ' <a@b.c>'],
  },
  { names: ['foldCase'], read: foldCase, pieces: ['ß', 'ﬃ', 'Ꭰ', 'ᾀ', 'İ'] },
  { names: ['lookupHash'], read: (text) => lookupHash(text, text, text) },
  { names: ['shortCodeOf', 'isShortCodeOf'], read: (text) => isShortCodeOf(text, text) },
  {
    names: ['isOwnerToken', 'browserOf', 'formTokenOf'],
    read: (text) => [isOwnerToken(text), browserOf(text), formTokenOf(text)],
  },
  {
    names: ['ownerCookie'],
    read: (text) => {
      const context = { headers: { cookie: text } } as unknown as RequestContext;
      return ownerCookie('https://a', '/b').tokenIn(context);
    },
    pieces: ['__Secure-cognomen-owner=', ';', ' ', '=', '; __Secure-cognomen-owner=a'],
  },
  { names: ['sameSecret'], read: (text) => sameSecret(text, `${text}x`) },
  {
    names: ['preferredLanguage'],
    read: preferredLanguage,
    pieces: ['de;q=0.5,', ';', 'q=', '-', ', '],
  },
  {
    names: ['shortenedAddress'],
    read: (text) => [shortenedAddress('email', text), shortenedAddress('msisdn', text)],
    pieces: ['@'],
  },
  { names: ['isBrandName'], read: isBrandName, starts: ['', '.', '..'] },
  {
    names: ['parseMxid', 'homeserverOf'],
    read: (text) => [parseMxid(text), homeserverOf(text)],
    ...HOST,
  },
  {
    names: ['isServerName', 'isReachableName', 'isSameServer'],
    read: (text) => [isServerName(text), isReachableName(text), isSameServer(text, text)],
    ...HOST,
  },
  {
    names: ['registrableDomain', 'homeserverKey', 'homeserverName'],
    read: (text) => [registrableDomain(text), homeserverKey(`@a:${text}`), homeserverName(text)],
    ...HOST,
  },
  { names: ['createFingerprint'], read: fingerprint },
  {
    names: ['inAscii', 'inUnicode'],
    read: (text) => [inAscii(text.slice(0, 255)), inUnicode(text.slice(0, 255))],
    ...HOST,
  },
  {
    names: ['ipv6Parts', 'mappedIpv4', 'clientNetwork', 'isLoopback'],
    read: (text) => [
      isIPv6(`::${text}`) && ipv6Parts(`::${text}`),
      mappedIpv4(text),
      clientNetwork(text),
      isLoopback(text),
    ],
    ...HOST,
  },
  {
    names: ['clientReader'],
    read: (text) =>
      readers.map((read) => read({ peer: '10.0.0.1', headers: { 'x-forwarded-for': text } })),
    pieces: ['10.0.0.1,', ',', '[::1]:1,', '::', '10.0.0.1:1'],
  },
  {
    names: ['requireToken'],
    read: (text) => requireToken(text, 'token'),
    starts: ['', 'Bearer '],
  },
  {
    names: ['bearerOf', 'isAdminToken'],
    read: (text) => isAdminToken(bearerOf(text) ?? text),
    starts: ['', 'Bearer ', 'Bearer cognomen_admin_'],
  },
  {
    names: ['parseSubject', 'parseAddress', 'subjectIn'],
    read: (text) => {
      subjectIn(text);
      parseAddress(text);
    },
    starts: ['', '+44 ', 'a@', '@a:'],
  },
  { names: ['parseEmailAddress'], read: parseEmailAddress, ...EMAIL },
  {
    names: ['readTime'],
    read: (text) => readTime('since', text),
    starts: ['', '2026-11-27T14:00:00.', '2026-11-27T'],
  },
  {
    names: ['tokenReader'],
    read: (text) => [
      tokenOf({ method: 'GET', authorization: [text] } as never, ''),
      tokenOf({ method: 'GET', authorization: [] } as never, text),
    ],
    starts: ['', 'Bearer ', 'access_token='],
    pieces: ['access_token=', 'Bearer '],
  },
  {
    names: ['parseXMatrix'],
    read: parseXMatrix,
    starts: ['X-Matrix ', 'X-Matrix a="', ''],
    pieces: ['a=b,', 'a="b",', ',', ' ,', 'a=', '\\"', '\\\\', 'X-Matrix '],
    ends: ['', '"', '=', ',a="'],
  },
  {
    names: ['parseQuery', 'urlencodedPairs'],
    read: (text) => [drain(urlencodedPairs(text)), parseQuery(text)],
    ...FORM,
  },
  { names: ['decodeUtf8'], read: (text) => decodeUtf8(Buffer.from(text), 'x') },
  {
    names: ['boundaryOf'],
    read: boundaryOf,
    starts: ['', 'multipart/form-data; boundary="'],
    pieces: [';a=b', ';a="', '\\"', ';', '; ', 'a='],
    ends: ['', '"', ';boundary=X'],
  },
  {
    names: ['multipartPairs'],
    read: (text) => drain(multipartPairs(Buffer.from(text), 'X')),
    starts: ['', '--X', '--X\r\nContent-Disposition: form-data; name="a'],
    pieces: [
      '--X',
      '\r\n--X',
      '\r\n',
      '--X\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n',
      '\r\n-',
      ';a="',
      '\\"',
    ],
    ends: ['', '\r\n--X--', '"\r\n\r\n\r\n--X--'],
  },
  {
    names: ['multipartPairs'],
    read: (text) => drain(multipartPairs(Buffer.from(text), 'a'.repeat(70))),
    starts: ['', `--${'a'.repeat(70)}`],
    pieces: [`\r\n--${'a'.repeat(69)}`, `\r\n--${'a'.repeat(69)}b`],
  },
  {
    names: ['parseAsWritten'],
    read: parseAsWritten,
    ...JSON_TEXT,
    pieces: [...JSON_TEXT.pieces, '1.5,', '1234567890123456,', ', ', '7'],
  },
  { names: ['parseJson'], read: (text) => parseJson(Buffer.from(text)), ...JSON_TEXT },
  {
    names: ['jsonObject', 'jsonMembers'],
    read: (text) => [jsonObject(Buffer.from(text)), jsonMembers(Buffer.from(text))],
    ...JSON_TEXT,
  },
  {
    names: ['canonicalJson'],
    read: (text) => canonicalJson(parsed(text)),
    ...JSON_TEXT,
    pieces: ['[', '{"a":', '"a",', '1,'],
    starts: ['', '["a",', '{"a":"'],
  },
  {
    names: ['canonicalJson'],
    read: (text) =>
      canonicalJson(
        Object.fromEntries((text.match(/.{1,20}/gs) ?? []).map((key, at) => [`${key}${at}`, 1])),
      ),
  },
  {
    names: ['parseAssociation'],
    read: (text) =>
      parseAssociation(
        {
          medium: 'email',
          address: text,
          mxid: text,
          ts: 1,
          not_before: 1,
          not_after: 2,
          signatures: { [text]: text },
        },
        1,
      ),
    ...EMAIL,
  },
  {
    names: ['requireJson'],
    read: requireJson,
    starts: ['', 'application/json'],
    pieces: [';', ' ;', 'application/json'],
  },
  {
    names: ['textArguments'],
    read: (text) => textArguments(new Map([[text, text]])),
  },
  {
    names: ['nextLinkWithSid', 'usableNextLink'],
    read: (text) => [
      nextLinkWithSid(text, 1),
      usableNextLink(text, { nextLinkSchemes: ['a'], logger: quiet }),
    ],
    starts: ['', 'https://', 'a:'],
    pieces: ['a.', '/', '?', '\u00a0', '\\'],
  },
  {
    names: ['parseWebClient'],
    read: parseWebClient,
    starts: ['', 'https://a'],
    pieces: ['/', 'a.', ':', '@'],
    ends: ['', '/', ' '],
  },
  {
    names: ['textsOf', 'hasBlockedWord'],
    read: (text) => {
      const given = new Map([
        ['room_name', text],
        ['sender_display_name', text],
        ['org.matrix.web_client_location', text],
      ]);
      return [textsOf(given, []), hasBlockedWord(given, ['ab!', '://'], foldCase)];
    },
    pieces: ['www', 'ab', ':/', '\u200e', '😀'],
  },
  {
    names: ['bareWords', 'isTopLevelDomain'],
    read: (text) => [bareWords(text), isTopLevelDomain(text)],
    starts: ['', 'https://', 'a.com'],
    pieces: ['a.com/', 'a.', '/', ':1/', ':/', 'www.', '\\\\', 'a.com:1', '。', 'é.', ' /'],
    ends: ['', '/', ':1/'],
  },
  {
    names: ['visibleText', 'cleanText'],
    read: (text) => [visibleText(text), cleanText(text)],
    starts: ['', 'م', '\u{1f3f4}'],
    pieces: [
      '\u200d',
      '👩\u200d',
      '👩🏽',
      '\u{e0061}',
      '\u200c',
      'م\u200c',
      '1\ufe0f',
      '\u2800',
      '\u180b',
    ],
    ends: ['', '\u{e007f}', '\u20e3'],
  },
  {
    names: ['escapeHtml', 'escapeUrl'],
    read: (text) => [escapeHtml(text), escapeUrl(text)],
    pieces: ['&amp;', "'"],
  },
  {
    names: ['compileJinja', 'renderJinja'],
    read: (text) => compileJinja(text)({}, WORDS),
    starts: ['', '{{', '{% if a %}'],
    pieces: ['{{ a }}', '{% if a %}', '{#', '{{ "', '{%', '\r\n'],
    ends: ['', '}}', '%}'],
  },
  {
    names: ['compilePercent'],
    read: (text) => compilePercent(text)({ a: 'b' }, WORDS),
    pieces: ['%(a)s', '%%', '%(', '%(a', '%(a)', '\r\n'],
    ends: ['', ')s'],
  },
  {
    names: ['inSevenBits', 'labelled'],
    read: (text) => [inSevenBits(Buffer.from(text)), labelled(Buffer.from(text))],
    ...MAIL,
  },
  {
    names: ['patternOfReply'],
    read: (text) => patternOfReply(text, 'ada@sample.test'),
    ...MAIL,
  },
  {
    names: ['readDeliveryReport', 'parseEntity', 'headersIn', 'headerValue', 'isNamed', 'mapParts'],
    read: (text) => readDeliveryReport(Buffer.from(text)),
    ...MAIL,
    starts: [
      '',
      'Content-Type: multipart/report; boundary=X\r\n\r\n--X\r\n',
      'Content-Type: message/delivery-status\r\n\r\nAction: failed\r\n',
      'Content-Type: message/delivery-status\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nAction: failed\r\n',
    ],
    pieces: [...MAIL.pieces, '=41', '; ', '<', 'Action: failed\r\n', 'Diagnostic-Code: a;', '\n'],
  },
  { names: ['encodeHeaderText'], read: encodeHeaderText, pieces: ['=?', '?=', '😀'] },
  { names: ['headerText'], read: headerText },
  {
    names: ['failureOf', 'takenBy'],
    read: (text) => {
      const tlsMode = 'tls' as const;
      const relay = {
        host: 'a',
        port: 1,
        tlsMode,
        username: '',
        password: '',
        connections: 1,
        dsn: false,
      };
      return [failureOf(new Error(text), relay), takenBy(text)];
    },
    pieces: ['https://', 'queued as ', 'id= ', 'InternalId=<', 'certificate', ' relay'],
  },
  { names: ['parseIni'], read: parseIni, ...INI },
  { names: ['parseIni', 'unknownNames'], read: (text) => unknownNames(parseIni(text)), ...INI },
  {
    names: ['withSigningKey'],
    read: (text) => withSigningKey(text, 'ed25519 0 x'),
    ...INI,
    ends: ['', '\n[crypto]\n', '\n[crypto]\ned25519.signingkey ='],
  },
  {
    names: ['withRotatedKey'],
    read: (text) => withRotatedKey(text, 'ed25519 1 x', 'ed25519 0 x'),
    ...INI,
    ends: ['', '\n[crypto]\n', '\n[crypto]\ned25519.old_signing_keys ='],
  },
  { names: ['databaseNamed'], read: databaseNamed, starts: ['', 'postgres://', 'postgres://a:b@'] },
  {
    names: ['parseConfig'],
    read: (text) => parseConfig('sydent.conf', text, environment),
    ...INI,
    starts: ['', '[general]\n', '[sms]\noriginators.default = ', '[general]\nserver.name = %('],
    pieces: [...INI.pieces, 'long:1,', 'smsrule.1 = allow\n'],
  },
  { names: ['oneLine'], read: oneLine, pieces: ['\r\n', ' \n'] },
  {
    names: ['pythonInt', 'pythonFloat'],
    read: (text) => [pythonInt(text), pythonFloat(text)],
    starts: ['', '-', '1e'],
    pieces: ['1_', '_', '1.', '٣'],
  },
  ...[...KEY_PARSERS].map(
    (parse): Parser => ({
      names: KEY_FUNCTIONS,
      read: (text) => parse(text, () => {}),
      pieces: ['a,', 'a\n', '1/', '1.1.1.1/', '1_', 'long:1,', '<a@b.c>', '::1,'],
      starts: ['', 'https://', 'ed25519 0 '],
    }),
  ),
  ...FIELDS.map(
    (field): Parser => ({
      names: [],
      read: (text) => [
        field.read(text),
        field.read([text, text]),
        field.read([[text, text]]),
        field.read({ medium: text, address: text }),
      ],
      ...HOST,
      starts: ['', '@a:', '!'],
    }),
  ),
  { names: ['withoutTrailing'], read: (text) => withoutTrailing(text, '/') },
  {
    names: ['namesOf'],
    read: (text) => namesOf({ commonNames: [text], alternativeNames: text }),
    starts: ['', 'DNS:', 'DNS:"'],
    pieces: ['DNS:a, ', ', ', 'DNS:"a", ', '\\"'],
    ends: ['', '"'],
  },
  {
    names: ['peerKey', 'decodeBase64', 'encodeBase64'],
    read: (text) => [peerKey(text), decodeBase64(text), encodeBase64(Buffer.from(text))],
    pieces: ['ab', '=='],
  },
  {
    names: ['createHostsFile', 'parseHostsLine'],
    read: (text) => {
      writeFileSync(file, text);
      parseHostsLine(text);
      const addresses = createHostsFile(file).addresses('a');
      rmSync(file);
      return addresses;
    },
    starts: ['', '::1 '],
    pieces: ['::1 a\n', ' a', '# ', '\n', '1.1.1.1 a b\n'],
  },
  {
    names: ['createPhoneNumbers'],
    read: (text) => phones.parse(text, 'GB'),
    starts: ['', '+', '+44'],
    pieces: ['1-', '(1)', ' 1', '٣', ';ext=', 'tel:'],
  },
];
