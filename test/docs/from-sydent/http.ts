import { better, different, type Rows, same } from './row.ts';

/** The listeners. */
export const LISTENERS: Rows = {
  'client API': [
    same(
      'plain HTTP at `::`, port 8090, everything under `/_matrix/identity`',
      'compat/config-defaults > [%s] %s = %s',
      'process/process > answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file',
    ),
  ],
  'internal API': [
    same(
      'plain HTTP at `::1`; off until it gets a port; never part of the client API',
      'compat/config-defaults > without a port there is no internal API, without a certificate no replication',
      'api/conventions > /_matrix/identity/internal/bind',
    ),
  ],
  replication: [
    same(
      'HTTPS with client certificates, port 4434, off without `replication.https.certfile`; one PEM file for both directions',
      'config/values > a certificate that cannot be read leaves replication off',
      'replication/receiver > nobody without a certificate',
    ),
  ],
  Prometheus: [
    same(
      '`GET /metrics` at `prometheus_addr` and `prometheus_port`',
      'api/main-job > what was bound is there after a restart',
    ),
    better(
      'fails to start when only one of the two is set',
      'warns, and serves no metrics',
      'a forgotten key does not take the service down',
      'config/values > half a Prometheus listener is none, with a warning',
    ),
  ],
};

/** What holds for every request. */
export const CONVENTIONS: Rows = {
  errors: [
    same(
      'JSON `{"errcode", "error"}` with a fitting status; `Content-Type: application/json` on every JSON answer',
      'api/openapi > names every argument’s form, and every refusal’s errcode',
      'api/conventions > %s: 400 %s',
    ),
    better(
      'HTML for an unknown path (404) or method (405, 501)',
      'JSON `M_UNRECOGNIZED`, 404 and 405',
      'the specification; clients see what is wrong',
      'api/conventions > paths and methods',
    ),
    better(
      '500, or a misleading error, for arguments of a wrong type and malformed JSON',
      '400 `M_INVALID_PARAM` or `M_BAD_JSON`, naming the argument',
      'a bad request is not the server’s failure',
      'api/every-argument > arguments of a wrong type are refused',
      'api/every-argument > bodies that are none are refused',
    ),
    better(
      'HTTP/1.1 without `Host` gets HTML',
      'a JSON error',
      'whoever debugs a proxy sees what is wrong',
      'api/hostile-requests > no Host',
    ),
  ],
  CORS: [
    better(
      'on most answers of the client API, not on `pubkey`, `3pid/unbind`, the mailed page and errors of the framework',
      'on every answer of the client API; `OPTIONS` on any path answers 200',
      'web clients can read every answer',
      'api/conventions > OPTIONS %s answers 200 with CORS',
    ),
  ],
  HEAD: [
    better(
      'runs as `GET` does: it validates on a mailed link',
      'changes nothing, ever',
      'scanners of mail ask like that',
      'api/every-argument > HEAD does nothing that GET would not, and takes no token from the query',
      'api/main-job > the mailed link validates in a browser and leads on',
    ),
  ],
  'a slash at the end': [
    same('accepted on every path', 'api/conventions > %s takes a slash at its end'),
    better(
      '404 at the root of version 2',
      'the same as without',
      'clients write both',
      'api/conventions > %s takes a slash at its end',
    ),
  ],
  'arguments of version 1': [
    same(
      'a JSON body when the `Content-Type` begins with `application/json`, else query string and form together; values may all be strings',
      'api/conventions > %s is understood in v1',
      'api/main-job > the same by forms and query strings',
    ),
    same(
      'JSON `null` in the body and the arguments in the query string (element-web’s `sign-ed25519`)',
      'api/conventions > null with a query',
      'api/store-invite > is stored, mailed and signed for',
    ),
    same(
      'with a JSON object in the body the query string is not read; a parameter that comes twice counts as missing; text that is not UTF-8: 400 `M_INVALID_PARAM`',
      'api/conventions > a query beside a JSON object',
      'api/conventions > a parameter twice',
      'api/conventions > a query that is not UTF-8',
    ),
    same('an empty body of JSON type: 400', 'api/conventions > an empty JSON body'),
    better(
      '`multipart/form-data` is read as Python’s parser likes',
      'read as a form; files in it are passed over',
      'some scripts send `curl -F`',
      'api/hostile-requests > a form in parts',
    ),
  ],
  'arguments of version 2': [
    same(
      'a JSON object whatever the `Content-Type`; malformed: 400 `M_BAD_JSON`, `NaN` and `Infinity` too',
      'api/hostile-requests > a body is read whatever its type is said to be',
      'api/every-argument > bodies that are none are refused',
      'api/conventions > NaN',
    ),
  ],
  'missing arguments': [
    same(
      '400 `M_MISSING_PARAMS`, `Missing parameters: a,b`',
      'api/conventions > missing ones are named',
      'api/every-argument > missing arguments are named',
    ),
  ],
  '`client_secret`': [
    same(
      'letters, digits and `.=_-`, 1 to 255 of them, else 400 `M_INVALID_PARAM`',
      'api/conventions > a bad client secret',
      'api/conventions > a long client secret',
    ),
  ],
  '`sid`': [
    same('a string; a JSON number is taken too', 'api/conventions > a number as sid'),
    different(
      '31 random bits',
      '53 random bits, of a secure source',
      'nobody guesses a session; clients treat it as a string',
      'api/main-job > an address is validated, bound and looked up, by JSON',
    ),
  ],
  'large bodies': [
    better(
      'over 512 KiB the connection is dropped',
      'over 512 KiB 413 `M_TOO_LARGE`',
      'the client learns why',
      'api/conventions > a body over 512 KiB is refused, one of that size is not',
    ),
    different(
      'parses whatever fits',
      '400 for JSON of more than 100 levels, 1,000 members or 50,000 lists, and for forms of more than 1,000 parameters',
      'while one is parsed everybody else waits; no client sends such',
      'api/hostile-requests > what would take long to parse is refused before',
    ),
  ],
  'access tokens': [
    same(
      '`Authorization: Bearer`, or with a `GET` `?access_token=`; unknown or none: 401 `M_UNAUTHORIZED`; version 1 needs none',
      'api/accounts > comes in the header in any case, or in the query of a GET, but not of a POST',
      'api/every-argument > who has no token, or has not accepted the terms, gets nothing',
    ),
    same(
      'those that Sydent gave out go on working',
      'api/accounts > one of Sydent’s tells whose it is, and stays as it was',
    ),
    same(
      'terms not accepted: 403 `M_TERMS_NOT_SIGNED` everywhere but at `POST terms` and `logout`',
      'api/every-argument > who has no token, or has not accepted the terms, gets nothing',
      'api/terms > a user can log out without accepting them',
    ),
    better(
      'plain text in the database and in logs; valid for ever',
      'stored hashed, never logged, forgotten after 90 days without use (`access_token.lifetime_days`)',
      'who reads a backup is not the user',
      'api/register > gives the homeserver’s user a token, stored so that nobody can use it',
      'api/accounts > expires when nobody has used it for 90 days',
    ),
    better(
      'the query string cannot be switched off',
      '`access_token.in_query = false` does',
      'URLs end up in logs',
      'api/accounts > the query form and the expiry can be switched off',
    ),
  ],
  limits: [
    same(
      'mails by who causes them, text messages by number and by calling code; too many: 429',
      'api/every-row > mails are limited, and what is wrong causes none',
      'api/every-row > asking for a text message',
    ),
    better(
      '`M_UNKNOWN`',
      '`M_LIMIT_EXCEEDED` with `retry_after_ms` and `Retry-After`',
      'the specification; clients know when to come back',
      'api/store-invite > invitations are counted like other mails, after the checks of who is inviting',
    ),
    better(
      'nothing limits mails to one address',
      'limits by mailbox, account, client network and in all, for mails, text messages, registrations and lookups; in existing configurations they only count until `limits.enforce = true` ([limits.md](limits.md))',
      'nobody’s mailbox is filled from here; nobody collects addresses',
      'api/validation-sessions > an address gets so many mails, whoever asks; retries do not count',
      'api/limits > cannot lock anybody out of their mailbox',
      'api/register > registrations that succeed are limited by network, and others are not',
    ),
    different(
      'counts every IPv6 address by itself',
      'a network of /64 counts as one',
      'whoever has one IPv6 address has 2^64 of them',
      'api/hostile-requests > a limit counts whoever has an IPv6 network as one, however its addresses are written',
    ),
  ],
  'the client’s address': [
    same(
      'the connection’s, unless `obey_x_forwarded_for` is on',
      'api/client-address > obey %s, proxies %j: from %s with %j is %s, limited as %j',
    ),
    better(
      'the whole `X-Forwarded-For` header',
      'its last public entry, from a proxy with a loopback or private address; with `trusted_proxies` the last one that is not a proxy of yours ([limits.md](limits.md))',
      'clients write into it what they like',
      'api/client-address > obey %s, proxies %j: from %s with %j is %s, limited as %j',
    ),
  ],
  '`?brand=`': [
    same(
      'picks the folder of templates for `requestToken`, the page of `submitToken`, and `store-invite`; of an unknown brand the default’s are used',
      'compat/operators-templates > the templates of brand %s, asked for by %j,',
    ),
  ],
  logs: [
    better(
      'tokens, codes and query strings are in the log',
      'neither tokens, codes, client secrets, keys nor query strings',
      'who reads a log is not the user',
      'api/conventions > secrets of requests are not in the log',
      'api/phone > appear in no log, nor do their codes',
    ),
  ],
};
