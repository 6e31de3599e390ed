import { LIMIT_KEYS } from '../../../src/config/sections/limits.ts';
import { better, different, type Rows, same } from './row.ts';

const DEFAULT = 'compat/config-defaults > [%s] %s = %s';

/** The keys that Sydent has, by section. Their defaults come from the keys themselves. */
export const KEYS: Readonly<Record<string, Rows>> = {
  general: {
    'server.name': [
      same(
        'the name that signs, exactly as written; empty: the host name, with a warning',
        'api/main-job > an address is validated, bound and looked up, by JSON',
        'config/values > without a name the host’s is used, with a warning',
        'config/values > the environment gives defaults, and the file wins',
        'storage/own-name > has its own associations under the name as written afterwards, each once, signed anew',
      ),
    ],
    'log.path': [
      same(
        'a file that starts anew at midnight, 365 old ones are kept under the same names; empty: standard error',
        DEFAULT,
        'platform/log-file > the log file starts anew at midnight, and the old one gets the day in its name',
        'platform/log-file > 365 old log files are kept, and nothing else in the folder is touched',
        'process/process > opens its log again on SIGHUP',
      ),
      different(
        'lines of text',
        'lines of JSON, text on a terminal; `log.format` decides otherwise',
        'what reads logs should not have to guess',
        'process/process > answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file',
      ),
    ],
    'log.level': [
      same(
        'the least serious level that is logged, by Python’s names',
        DEFAULT,
        'platform/log-file > log.level = %s logs what is as serious as that',
      ),
    ],
    'pidfile.path': [
      same(
        'holds the process id',
        DEFAULT,
        'process/process > answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file',
      ),
      better(
        'stays when the server ends',
        'goes when the server ends; empty: none',
        'a file says that a server runs only while it does',
        'process/process > answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file',
      ),
    ],
    'terms.path': [
      same(
        'the YAML file of the terms; empty: none',
        DEFAULT,
        'api/terms > are shown without a token',
        'api/terms > without a file there is nothing to accept',
      ),
      better(
        'read at the start',
        'read again on `SIGHUP`; a fault is said with its line',
        'terms change without a restart',
        'process/process > reads its terms again on SIGHUP, and keeps the old ones when there is a fault',
        'api/terms > a terms file with a fault is refused, and the place named',
      ),
    ],
    address_lookup_limit: [
      same(
        'how many addresses one lookup of version 2 may ask for',
        DEFAULT,
        'api/mapped-lookup > take ten thousand addresses, and not one more',
      ),
      different(
        'of version 2 only',
        'of `bulk_lookup`, too',
        'see there',
        'api/conventions > bulk_lookup takes a list of pairs, and not too many',
      ),
    ],
    'templates.path': [
      same(
        'the folder of the brands’ folders',
        DEFAULT,
        'compat/operators-templates > the templates of brand %s, asked for by %j,',
      ),
      better(
        'a missing folder or file stops mails',
        'built-in templates of `matrix-org` and `vector-im` stand in',
        'the `res` that every generated file names is in Sydent’s own folder',
        'delivery/templates > a folder of its own first, .j2 before .eml, then what is built in',
      ),
    ],
    'brand.default': [
      same(
        'the brand where none, or an unknown one, is asked for',
        DEFAULT,
        'compat/operators-templates > the templates of brand %s, asked for by %j,',
      ),
    ],
    prometheus_port: [
      same(
        'the port of the metrics; not set: none',
        'api/main-job > what was bound is there after a restart',
      ),
    ],
    prometheus_addr: [
      same('the address of the metrics', 'api/main-job > what was bound is there after a restart'),
      better(
        'missing beside a port, it stops the start',
        'a warning, and no metrics',
        'a forgotten key does not take the service down',
        'config/values > half a Prometheus listener is none, with a warning',
      ),
    ],
    sentry_dsn: [
      same(
        'errors go to this Sentry project',
        'process/error-reports > go to the Sentry project of the configuration',
      ),
      better(
        'with the request, its arguments and local variables',
        'the line of the log and the stack, each error once a minute',
        'addresses, codes and tokens do not leave for a third party',
        'process/error-reports > go to the Sentry project of the configuration',
      ),
    ],
    enable_v1_associations: [
      same(
        '`3pid/bind` of version 1; only `true` is true',
        DEFAULT,
        'api/conventions > without v1 associations only 3pid/bind is gone',
        'config/values > booleans are read as Sydent reads each of them',
      ),
    ],
    enable_v1_access: [
      same(
        'version 1 as a whole; only `true` is true',
        DEFAULT,
        'api/version-2 > has none of version 1 but its keys',
        'config/values > booleans are read as Sydent reads each of them',
      ),
      better(
        'off, it takes the keys of invitations with it',
        '`pubkey` and `sign-ed25519` stay',
        'rooms and mails refer to them',
        'api/conventions > without v1 its keys stay, and links go to v2',
      ),
    ],
    delete_tokens_on_bind: [
      same(
        'whether an invitation is deleted once it is delivered; only `true` is true',
        DEFAULT,
        'api/notices > delivered invitations stay when they are to, and are not delivered again',
      ),
    ],
    'ip.blacklist': [
      same(
        'networks that requests to homeservers must not reach; empty: private and special ones; `0.0.0.0` and `::` always; redirects too; one blocked address among a name’s refuses the name',
        DEFAULT,
        'platform/address-policy > a blacklist replaces the usual one',
        'platform/address-policy > 0.0.0.0 and :: are refused whatever the lists say',
        'platform/outbound > a redirect to a blocked address is not followed',
      ),
      better(
        'an address in another form than the list’s gets through',
        'every IPv6 form of an IPv4 address counts as that; checked for each connection',
        'nobody reaches a private network through this server',
        'platform/address-policy > an IPv4 address is judged alike in all its forms',
        'platform/outbound > a name that changes its addresses after the check gains nothing',
      ),
    ],
    'ip.whitelist': [
      same(
        'exceptions from it',
        DEFAULT,
        'platform/address-policy > the whitelist excepts, in every form of the address',
      ),
    ],
    homeserver_allow_list: [
      same(
        'whose users may register; empty: all; needs `enable_v1_access = false`, else the start is refused',
        'api/register > only users of listed homeservers register where there is a list',
        'config/values > [general] homeserver_allow_list: needs enable_v1_access = false',
      ),
    ],
  },
  db: {
    'db.file': [
      same(
        'the SQLite file, or `:memory:`',
        DEFAULT,
        'storage/sydent-data > everything Sydent 2.7 knew is known',
        'config/values > the environment gives defaults, and the file wins',
      ),
    ],
  },
  http: {
    'clientapi.http.bind_address': [
      same(
        'the address of the client API',
        DEFAULT,
        'process/process > answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file',
      ),
    ],
    'clientapi.http.port': [
      same(
        'its port',
        DEFAULT,
        'process/process > answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file',
      ),
    ],
    'internalapi.http.bind_address': [
      same(
        'the address of the internal API',
        DEFAULT,
        'process/process > says which port is taken',
      ),
    ],
    'internalapi.http.port': [
      same(
        'its port; empty: none',
        'compat/config-defaults > without a port there is no internal API, without a certificate no replication',
        'process/process > says which port is taken',
      ),
    ],
    'replication.https.certfile': [
      same(
        'one PEM file with key and certificate, for both directions; empty or unreadable: no replication, the latter with a warning',
        'config/values > a certificate that cannot be read leaves replication off',
        'replication/servers > bindings go both ways, each at once',
      ),
      better(
        'read at the start',
        'read again on `SIGHUP`; warns of one that is for another name or has expired',
        'certificates are short-lived',
        'slow/replication > use a new certificate after SIGHUP, and keep the old when the new one is none',
      ),
    ],
    'replication.https.cacert': [
      same(
        'the peers’ authority; empty: the system’s; unreadable: the start is refused',
        'replication/receiver > nobody with a certificate of another authority',
        'replication/pusher > goes to no peer whose certificate is of another host or authority',
        'config/values > [http]\\nreplication.https.cacert = /nowhere/ca.pem',
      ),
    ],
    'replication.https.bind_address': [
      same(
        'the address for peers',
        'config/values > a certificate that cannot be read leaves replication off',
        'replication/servers > bindings go both ways, each at once',
      ),
    ],
    'replication.https.port': [
      same(
        'the port for peers',
        'config/values > a certificate that cannot be read leaves replication off',
        'replication/servers > bindings go both ways, each at once',
      ),
    ],
    obey_x_forwarded_for: [
      same(
        'whether the client’s address is in `X-Forwarded-For`',
        DEFAULT,
        'api/client-address > obey %s, proxies %j: from %s with %j is %s, limited as %j',
      ),
      better(
        'takes the whole header for it',
        'takes its last public entry, from a proxy with a loopback or private address, or with `trusted_proxies` the last that is not a proxy of yours; warns without that key',
        'clients write into it what they like',
        'config/values > what is odd about proxies is a warning',
        'api/client-address > obey %s, proxies %j: from %s with %j is %s, limited as %j',
      ),
    ],
    'federation.verifycerts': [
      same(
        'whether homeservers need a valid certificate',
        DEFAULT,
        'homeservers/discovery > certificates of homeservers do not matter where the configuration says so',
      ),
      better(
        'checks the chain, not the name',
        'checks both',
        'else any certificate will do',
        'platform/outbound > are verified by chain and host name',
      ),
    ],
    verify_response_template: [
      same(
        'deprecated: one page for every brand',
        'compat/operators-templates > the deprecated single files win over every brand',
      ),
    ],
    client_http_base: [
      same(
        'what links in mails begin with',
        'api/main-job > an address is validated, bound and looked up, by JSON',
        'api/store-invite > is stored, mailed and signed for',
      ),
      better(
        'empty: links without a host',
        'empty: `https://` and `server.name`, with a warning',
        'links lead somewhere',
        'config/values > without a name the host’s is used, with a warning',
      ),
    ],
  },
  email: {
    'email.from': [
      same(
        'the sender, and the address in it that of the envelope; one that is not an address stops the start',
        DEFAULT,
        'compat/operators-templates > make the verification mail and its page',
        'config/values > [email] email.from: must be an address, or a name',
      ),
      better(
        '`{hostname}` is mailed as it stands',
        '`{hostname}` is `email.hostname`',
        'it was meant to be',
        'compat/operators-templates > make the verification mail and its page',
      ),
      better(
        'a file written anew says `Sydent Validation`',
        'a file written anew says `Identity server` and the host name',
        'people are to know who writes to them; without the key it is as before',
        'config/first-start > a new file names this server as the sender, one without the key does not',
      ),
    ],
    'email.subject': [
      same(
        'not used: subjects stand in the templates',
        'compat/operators-templates > make the verification mail and its page',
      ),
    ],
    'email.invite.subject': [
      same(
        'the subject of invitations to a room, `%(name)s` filled in; not interpolated as other keys are',
        DEFAULT,
        'api/store-invite > is stored, mailed and signed for',
        'config/golden > the %s kind of file is read as it was meant',
      ),
      better(
        'English, and beginning with a blank without a display name',
        'the stock mail has its default in the language asked for; without a name the verified user, or someone, is named',
        'people are to know who invites them',
        'api/languages > of an invitation is what the homeserver asks for, else the default',
        'api/languages > names the user who has shown an access token',
      ),
    ],
    'email.invite.subject_space': [
      same(
        'the subject of invitations to a space, likewise',
        DEFAULT,
        'compat/operators-templates > make the mail of an invitation by %s',
      ),
    ],
    'email.smtphost': [
      same(
        'the relay',
        DEFAULT,
        'compat/operators-templates > make the verification mail and its page',
      ),
    ],
    'email.smtpport': [
      same(
        'its port',
        DEFAULT,
        'compat/operators-templates > make the verification mail and its page',
      ),
      better(
        'an empty one (`email.smtpport =`) stops the start, as every empty number does',
        'an empty value counts as not there',
        'Sydent itself writes empty keys',
        'config/values > behind an empty key stand the environment, and then the default',
        'config/sydent-values > odd values do what the reviewed list says',
      ),
    ],
    'email.smtpusername': [
      same(
        'the user there; empty: no authentication',
        DEFAULT,
        'delivery/mailer-tls > with user name and password',
      ),
    ],
    'email.smtppassword': [
      same('the password there', DEFAULT, 'delivery/mailer-tls > with user name and password'),
    ],
    'email.hostname': [
      same(
        'the name in the greeting and in Message-IDs; empty: the host name',
        DEFAULT,
        'compat/operators-templates > the server greets the relay by email.hostname',
        'compat/operators-templates > make the verification mail and its page',
        'config/values > without a name the host’s is used, with a warning',
      ),
    ],
    'email.tlsmode': [
      same(
        '`0`, `STARTTLS`, `TLS` or `SSL`; certificates are verified',
        DEFAULT,
        'delivery/mailer-tls > by STARTTLS',
        'delivery/mailer-tls > from the start',
        'delivery/mailer-tls > without, STARTTLS offered or not',
        'delivery/mailer-tls > a certificate of another host is refused',
      ),
    ],
    'email.template': [
      same(
        'deprecated: one verification mail for every brand',
        'compat/operators-templates > the deprecated single files win over every brand',
      ),
    ],
    'email.invite_template': [
      same(
        'deprecated: one invitation mail for every brand',
        'compat/operators-templates > the deprecated single files win over every brand',
      ),
    ],
    'email.default_web_client_location': [
      same(
        'the web client that invitations link to unless the homeserver names one',
        DEFAULT,
        'api/store-invite > is stored, mailed and signed for',
        'api/web-client > of version 2 leads to %s and names its host',
      ),
      better(
        'whatever the homeserver names, in version 1 too',
        'an `https:` URL that a user of version 2 names, or, where `email.web_client_allow_list` is set, one that is in it: the default one in place of all others; the mail names the host',
        'a mail in your name is not to lead just anywhere',
        'api/web-client > of version 1 leads to the default one whatever is asked for: %j',
        'api/web-client > leads to the default one in place of %s',
      ),
    ],
    'email.third_party_invite_username_obfuscate_characters': [
      same(
        'how much of the address before the `@` a room gets to see',
        DEFAULT,
        'compat/redacted-addresses > a room sees the invited address in part, %s',
      ),
    ],
    'email.third_party_invite_domain_obfuscate_characters': [
      same(
        'how much behind it',
        DEFAULT,
        'compat/redacted-addresses > a room sees the invited address in part, %s',
      ),
    ],
    'email.third_party_invite_homeserver_blocklist': [
      same(
        'homeservers that cannot invite, one a line, with their port',
        DEFAULT,
        'api/store-invite > is refused: %j',
      ),
    ],
    'email.third_party_invite_room_blocklist': [
      same(
        'rooms that nobody is invited to, one a line',
        DEFAULT,
        'api/store-invite > is refused: %j',
      ),
    ],
    'email.third_party_invite_keyword_blocklist': [
      same(
        'words that no invitation may hold, one a line, in any letter case',
        DEFAULT,
        'api/store-invite > is refused: %j',
      ),
    ],
    'email.ratelimit_sender.burst': [
      same(
        'mails that one sender may cause at once: a user in version 2, a client address in version 1',
        DEFAULT,
        'api/store-invite > invitations are counted like other mails, after the checks of who is inviting',
        'api/every-row > mails are limited, and what is wrong causes none',
      ),
    ],
    'email.ratelimit_sender.rate_hz': [
      same(
        'mails a second in the long run',
        DEFAULT,
        'platform/buckets > take their burst, and then one for each that has left',
        'api/validation-sessions > without accounts a client address is limited, by what it asks for rightly',
      ),
    ],
  },
  sms: {
    bodyTemplate: [
      same(
        'the text, `{token}` is the code, `{{` and `}}` are braces',
        DEFAULT,
        'delivery/sms > the text is made from %j',
      ),
    ],
    username: [
      same(
        'the account at OpenMarket',
        DEFAULT,
        'delivery/sms > gets what its API asks for, and its references are logged',
      ),
      better(
        'empty: the request fails at OpenMarket',
        'empty: 400 `M_SEND_ERROR` (version 2: `M_THREEPID_MEDIUM_NOT_SUPPORTED`), and OpenMarket is not asked; or another provider (`sms.provider`)',
        'a server without an account says so',
        'api/phone > without an account at a provider a request says that nothing can be sent',
      ),
    ],
    password: [
      same(
        'its password',
        DEFAULT,
        'delivery/sms > gets what its API asks for, and its references are logged',
      ),
    ],
    'originators.CODE': [
      same(
        'who messages to a calling code come from, `long:`, `short:` or `alpha:`, several between commas; `originators.default`, else `alpha:Matrix`; one number always hears from the same',
        'delivery/sms > gets the originator %s',
        'delivery/sms > one number always hears from the same sender, and its neighbour from the next',
        'config/values > [sms] originators.44: must be long:NUMBER',
      ),
    ],
    'smsrule.CODE': [
      same(
        '`allow` or `reject`; without a rule messages go',
        'api/every-row > asking for a text message',
        'config/values > [sms] smsrule.44: must be allow or reject; it is "perhaps"',
      ),
      better(
        'CODE is a calling code; longer ones are never asked for',
        'CODE is a calling code or more digits of a number’s beginning; the one with the most digits counts',
        'a country is too much to open for one of its networks, or to close',
        'identity/destinations > with the rules %j a message to %s is %s',
      ),
    ],
    'msisdn.ratelimit.burst': [
      same(
        'messages to one number at once',
        DEFAULT,
        'api/phone > are limited one by one: retries do not count, and the code sent stays good',
      ),
    ],
    'msisdn.ratelimit.rate_hz': [
      same(
        'messages a second in the long run',
        DEFAULT,
        'api/phone > are limited one by one: retries do not count, and the code sent stays good',
      ),
    ],
    'country.ratelimit.burst': [
      same(
        'messages to one calling code at once',
        DEFAULT,
        'api/phone > %s carries codes too, and a calling code is limited',
      ),
    ],
    'country.ratelimit.rate_hz': [
      same(
        'messages a second in the long run',
        DEFAULT,
        'api/phone > %s carries codes too, and a calling code is limited',
      ),
    ],
  },
  crypto: {
    'ed25519.signingkey': [
      same(
        '`ed25519 VERSION SEED`; a key in hex, of the oldest days, is read as version 0; without one, or empty, one is made and written into the file',
        'config/golden > the %s kind of file is read as it was meant',
        'config/first-start > but one of the oldest form is left as it is',
        'storage/sydent-data > everything Sydent 2.7 knew is known',
        'config/first-start > gets that line, and nothing else of it changes',
      ),
      better(
        'a new key is written by writing the whole file anew: comments are gone',
        'only that line changes; a start writes nothing into a file that has a key',
        'the file is yours',
        'config/first-start > gets that line, and nothing else of it changes',
        'config/first-start > that is read-only stops the start; with the key it is fine',
      ),
      better(
        'one key, for ever',
        '`ed25519.old_keys` and `ed25519.old_signing_keys` stay valid beside it; `cognomen key rotate` changes it while the server runs',
        'a key can be changed',
        'api/conventions > a key of another version is served under its id and as ed25519:0, old ones under theirs',
        'process/key-command > rotates the key of a running server; what the former one signed stays valid',
        'replication/key-on-file > takes pushes by the key that it has on file, and by the new one when it has that',
        'api/notices > an invitation from before a change of the signing key is signed by the key of its time, too',
      ),
    ],
  },
};

/** The key of a section `[peer.NAME]`. */
export const PEER_KEYS: Rows = {
  base_replication_url: [
    same(
      'where the peer is pushed to, instead of at its name and port',
      'compat/peers-by-hand > is pushed to where [peer.NAME] says, and the row says how far',
    ),
  ],
};

/** Keys of Cognomen alone, by what they are for. */
export const OWN_KEYS: Readonly<Record<string, readonly string[]>> = {
  PostgreSQL: [
    'db.url',
    'db.read_url',
    'db.read_max_lag',
    'db.pool_size',
    'db.prepared_statements',
    'db.statement_timeout',
    'db.connect_timeout',
    'db.start_timeout',
  ],
  'care of the SQLite file': ['db.backup', 'db.exclusive'],
  'how the log is written': ['log.format', 'log.client_address'],
  'names of this server, and finding others': ['server.aliases', 'dns.servers'],
  'telling homeservers of bindings': [
    'onbind.give_up_after_days',
    'onbind.give_up_refused_after_hours',
  ],
  'telling owners of addresses what becomes of them': ['owner_notices'],
  'what a validation mail offers': ['email.short_codes'],
  'erasing people': ['erasure.tombstone_days'],
  'connections to the mail relay': ['email.smtp_connections'],
  'reports on mails that are not delivered': ['email.dsn'],
  'how many processes serve': ['workers'],
  'how the server stops': ['shutdown.delay'],
  'rotating the pepper of lookups': ['rotation_days', 'grace_hours'],
  'what became of messages': ['kept_days'],
  'access tokens': ['access_token.lifetime_days', 'access_token.in_query'],
  'limits that Sydent does not have': [
    'limits.enforce',
    'limits.trusted_networks',
    'lookup.trusted_homeservers',
    'register.ratelimit.burst',
    'register.ratelimit.rate_hz',
    'lookup.account_ratelimit.burst',
    'lookup.account_ratelimit.rate_hz',
    'lookup.client_ratelimit.burst',
    'lookup.client_ratelimit.rate_hz',
    'email.ratelimit_recipient.burst',
    'email.ratelimit_recipient.rate_hz',
    ...LIMIT_KEYS.map(({ name }) => name),
  ],
  'addresses in plain text': ['lookup.allow_none'],
  'users who need not accept the terms here': ['terms.trusted_homeservers'],
  'proxies in front': ['trusted_proxies'],
  'who may use the internal API': ['internalapi.token'],
  'operators: the admin API, and the trail of what they did': [
    'admin.http.bind_address',
    'admin.http.port',
    'admin.oidc.issuer',
    'admin.oidc.audience',
    'admin.oidc.role_claim',
    'admin.oidc.viewer_values',
    'admin.oidc.operator_values',
    'admin.oidc.client_id',
    'admin.oidc.client_secret',
    'admin.oidc.console_client_id',
    'audit.kept_days',
  ],
  'the page of a mailed link, and where it leads': [
    'next_link.schemes',
    'page.ask_before_validation',
    'page.content_security_policy',
  ],
  'what invitations say, and how long they are kept': [
    'email.invite.extra_fields',
    'email.web_client_allow_list',
    'email.invite.expiry_days',
    'email.invite.key_grace_days',
  ],
  'who runs the server, and in which language it speaks': [
    'operator.name',
    'operator.logo',
    'operator.privacy_url',
    'operator.contact',
    'email.default_language',
  ],
  'a page for owners of addresses': ['self_service.enabled'],
  'other providers of text messages': [
    'sms.provider',
    'sms.openmarket.url',
    'sms.twilio.url',
    'sms.twilio.account_sid',
    'sms.twilio.auth_token',
    'sms.twilio.from',
    'sms.twilio.messaging_service_sid',
    'sms.webhook.url',
    'sms.webhook.secret',
  ],
  'a change of the signing key': ['ed25519.old_keys', 'ed25519.old_signing_keys'],
  'peers that refuse something': ['replication.skip_refused_after_days'],
};
