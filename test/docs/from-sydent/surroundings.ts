import { better, different, type Rows, same } from './row.ts';

export const CONFIG_FILE: Rows = {
  'the file': [
    same(
      '`$SYDENT_CONF`, else `sydent.conf` in the working directory; relative paths in it are relative to that too',
      'process/process > is that of --config, else of $SYDENT_CONF, else sydent.conf here',
      'process/process > that is missing is written, and the server runs with it, from any folder',
    ),
    same(
      'an INI file as Python’s ConfigParser reads it: `[DEFAULT]` serves every section, `%(name)s` and `%%`, values over several lines, no comments behind values',
      'config/parser > reading INI files as Python does',
      'config/parser > DEFAULT serves every section, whose own values win',
      'config/golden > the %s kind of file is read as it was meant',
    ),
    same(
      'a missing file is written, with every default',
      'config/first-start > is written with live defaults, the name in force and a new key',
    ),
    better(
      'unknown keys and sections are passed over in silence',
      'a warning, with the nearest name that means something; `cognomen check-config` says it without a start',
      'a typing error is noticed',
      'config/values > names that mean nothing are pointed out, with the nearest that does',
      'process/process > generate-key prints a key that a configuration takes; check-config says so',
    ),
    better(
      'a file that gets its signing key keeps its mode, readable by everybody too',
      'others lose their rights to it, owner and group keep theirs; of a key that everybody can read the start and `cognomen check-config` warn',
      'the key signs for all users of this server',
      'config/first-start > of mode %o has mode %o then: others lose their rights, owner and group none',
      'config/exposed-files > a file with a key in it that everybody can read is warned about',
    ),
    better(
      'many bad values show only when they are first used',
      'all are said at the start, which they stop',
      'not while somebody waits',
      'config/values > everything that is wrong is said at once',
    ),
  ],
};

export const ENVIRONMENT: Rows = {
  '`SYDENT_CONF`': [
    same(
      'names the configuration file',
      'process/process > is that of --config, else of $SYDENT_CONF, else sydent.conf here',
    ),
  ],
  '`SYDENT_SERVER_NAME`, `SYDENT_DB_PATH`, `SYDENT_PID_FILE`': [
    same(
      'stand in for `server.name`, `db.file`, `pidfile.path`; what the file says wins; a first start writes them down',
      'config/values > the environment gives defaults, and the file wins',
      'config/first-start > is written with what the environment says: from then on the file wins',
    ),
  ],
};

export const TEMPLATES: Rows = {
  'where they are': [
    same(
      '`templates.path`/BRAND/, `verification_template`, `invite_template`, `migration_template` as `.eml.j2` (first) or `.eml`, and `verify_response_template.html`',
      'compat/operators-templates > the templates of brand %s, asked for by %j,',
      'delivery/templates > a folder of its own first, .j2 before .eml, then what is built in',
    ),
    same('a brand is the name of a folder, never a path', 'delivery/templates > %j is not a brand'),
    better(
      'read at each use; a fault shows when somebody needs the mail',
      'compiled once, and again when a file has changed; faults are said at the start as well, with file and line, and a changed one that cannot be used leaves the former in use',
      'not while somebody waits',
      'delivery/templates > a change of a file is seen at once',
      'delivery/template-files > is compiled again when its file is edited or replaced, not when it is touched',
      'delivery/template-files > that changes into one that %s is the former one, which is logged once',
      'delivery/templates > faults are found before anyone needs the template',
    ),
  ],
  'what is in them': [
    same(
      '`.j2` is Jinja 2, escaped for HTML, with `safe` and `urlencode`; `.eml` is Python’s `%(name)s`, with `_forhtml` and `_forurl` of each name and `%%`',
      'delivery/templates > Jinja 2',
      'delivery/templates > Python’s %-format',
      'compat/operators-templates > values of %-templates come in forms for HTML and URLs',
    ),
    same(
      'all values that Sydent fills in: of verification, of invitations in both versions, and of the page',
      'compat/operators-templates > make the verification mail and its page',
      'compat/operators-templates > make the mail of an invitation by %s',
    ),
    better(
      'an invitation does not say where its link leads',
      '`web_client_host` names the host; the stock templates show it',
      'the inviting side chooses the web client',
      'api/web-client > of version 2 leads to %s and names its host',
      'compat/operators-templates > make the mail of an invitation by %s',
    ),
    different(
      'runs Python’s methods inside Jinja (`{{ to.split("@")[0] }}`)',
      'Nunjucks: Jinja’s language with JavaScript’s methods; a template that cannot be used is said at the start',
      'there is no Python',
      'delivery/templates > faults are found before anyone needs the template',
    ),
    better(
      'a value with a line end goes into the mail as it is',
      'no value can begin a header, a line or a part',
      'homeservers send these values',
      'delivery/templates > no value can begin a header, a line or a part',
    ),
    better(
      'templates in 8 bits go out as they are, whatever the relay takes',
      'get a `Content-Transfer-Encoding` where they have none and the relay has no 8BITMIME',
      'letters arrive as they were written',
      'delivery/own-templates > says how it is encoded, and is what it was',
    ),
  ],
  'the stock ones': [
    different(
      'the invitation’s link names matrix.org’s server',
      'other texts and another look, without pictures; the link names this server',
      'the link works; a mail tells nobody that it was opened',
      'delivery/stock-mails > the stock mails of %s',
    ),
  ],
};

export const DATABASE: Rows = {
  'Sydent’s tables': [
    same(
      'SQLite, `user_version` 5: the same tables, columns and indexes, also in a new file',
      'compat/tables > a database made here has every table, column and index of Sydent 2.7',
    ),
    same(
      'files of every older version (0 to 5) are brought up to date at the start',
      'storage/sydent-upgrade > becomes like a new one, keeping ids, never to be used again',
      'storage/sydent-upgrade > has a hash of the folded address in every row',
    ),
    same(
      'an empty `hashing_metadata`: a new pepper, and every row hashed anew',
      'storage/sydent-upgrade > an emptied hashing_metadata means a new pepper for every row',
    ),
    better(
      'renumbers rows when it upgrades the oldest files, and peers miss changes',
      'ids stay; the file is copied beside itself before its first change (`db.backup`)',
      'nothing is lost, and you can go back',
      'storage/sydent-upgrade > becomes like a new one, keeping ids, never to be used again',
      'storage/sydent-upgrade > is copied beside itself first, unless that is switched off',
    ),
  ],
  'what was in them': [
    same(
      'bindings, deletions, sessions under way, invitations, keys, tokens, terms and the pepper go on',
      'storage/sydent-data > everything Sydent 2.7 knew is known',
      'api/notices > of invitations that Sydent stored, in the case they came in',
      'api/accounts > one of Sydent’s tells whose it is, and stays as it was',
    ),
    same(
      'rows in mixed case are found in any case, bound anew and unbound',
      'storage/sydent-data > old rows in mixed case are found, rebound and unbound',
    ),
    different(
      '`Case@x` and `case@x` of two users stay side by side',
      'they stay; the newest is the one that lookups answer, and the start says how many others there are',
      'an address has one user',
      'storage/stored-spellings > are warned of at each start, as many as there still are',
    ),
  ],
  'going back to Sydent': [
    same(
      'Sydent 2.7 opens the file and goes on: bindings, sessions and deletions made meanwhile are in its tables, and what it writes is taken over at the next start here',
      'storage/sydent-data > and Sydent can go on with what we wrote, and we with what it wrote then',
    ),
    different(
      'its tokens are plain text',
      'tokens given out here are hashed: their users log in anew with Sydent; those that Sydent gave out work again',
      'who reads a backup is not the user',
      'api/register > gives the homeserver’s user a token, stored so that nobody can use it',
      'api/accounts > one of Sydent’s tells whose it is, and stays as it was',
    ),
    different(
      'has no other tables',
      'tables whose names begin with `cognomen_`, which Sydent leaves alone; what only they hold (what homeservers are still owed, counted guesses, earlier codes) it does not know',
      'Sydent’s tables cannot hold it',
      'compat/tables > a database made here has every table, column and index of Sydent 2.7',
    ),
  ],
  'two servers on one file': [
    better(
      'both start',
      'the second is refused, a Sydent that was forgotten as well',
      'nothing is lost',
      'storage/exclusive > a second server on the same file is refused, also by another name; a killed one leaves nothing',
      'storage/exclusive > another program that may write is refused, unless the configuration says so',
    ),
  ],
  PostgreSQL: [
    better(
      'SQLite only',
      'PostgreSQL by `db.url`; an existing SQLite file is not carried over yet',
      'large servers want it',
      'config/values > a PostgreSQL URL is taken apart',
      'api/main-job > the main job on %s',
    ),
  ],
};

export const REPLICATION: Rows = {
  peers: [
    same(
      'rows of `peers` and `peer_pubkeys`, written by hand, read at each use; only `active = 1` with a key counts',
      'compat/peers-by-hand > is pushed to where [peer.NAME] says, and the row says how far',
      'compat/peers-by-hand > that is not active is not listened to',
      'replication/receiver > no peer that is inactive or has no key',
    ),
    same(
      '`https://NAME:PORT`, port 1001 where the row has none',
      'replication/peers-command > peers are taken in and out by command',
    ),
    same(
      '`lastSentVersion` says how far, null sends everything; `lastPokeSucceededAt` is the last success, in ms',
      'compat/peers-by-hand > gets everything once more when lastSentVersion is set to null',
      'compat/peers-by-hand > is pushed to where [peer.NAME] says, and the row says how far',
    ),
    better(
      'by SQL alone',
      'by `cognomen peers` as well, beside a running server',
      'fewer slips',
      'replication/peers-command > peers are taken in and out by command',
    ),
  ],
  pushing: [
    same(
      'associations and deletions in the order of their ids, signed as `ed25519:0`, `application/json`; nothing twice once it is acknowledged',
      'replication/pusher > is what Sydent takes: members, nulls, key id, content type, order',
    ),
    better(
      'every 10 seconds, 100 at a time',
      'at once, and as many together as the peer takes, up to Sydent’s 512 KiB; each peer by itself',
      'a binding is known everywhere at once',
      'replication/servers > bindings go both ways, each at once',
      'replication/pusher > grows as long as the peer takes it, within Sydent’s 512 KiB, in order',
      'replication/pusher > reaches one peer however long another takes to answer',
    ),
    better(
      'signs under the key’s own id, which other Sydents do not look at',
      'under that and `ed25519:0`',
      'a key with another version works among peers',
      'replication/pusher > is what Sydent takes: members, nulls, key id, content type, order',
    ),
    better(
      'an association that a peer refuses holds up what follows, for ever',
      'it is named in the log and in `peers status`; `replication.skip_refused_after_days` gives it up',
      'one bad row is no end of replication',
      'replication/pusher > goes up to an association the peer refuses, and past it after the configured days',
    ),
  ],
  receiving: [
    same(
      'the newest `ts` wins, whoever said it; the caller is known by its certificate',
      'replication/receiver > the newest as the one that counts, in whatever order they come',
      'replication/servers > the newest wins whoever said it',
      'replication/receiver > nobody without a certificate',
    ),
    better(
      'by the Common Name, in exactly this case',
      'by Common Name or alternative names, in any case',
      'certificates of today may have no Common Name',
      'replication/receiver > a peer known by a subject alternative name',
      'replication/receiver > a peer whose row has its name in another case',
    ),
    better(
      'a push that comes late brings back what was deleted',
      'what the peer has replaced or deleted since stays so, for a day',
      'what its owner took back stays back',
      'replication/receiver > is not undone by what the peer had sent before and comes late',
    ),
  ],
};

export const RUNNING: Rows = {
  start: [
    different(
      '`python -m sydent.sydent`',
      '`cognomen serve`, or `node dist/main.js`',
      'another language',
      'process/process > answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file',
    ),
    different(
      'starts at once on any database',
      'the first start reads all of Sydent’s associations once, and says how far it is',
      'lookups by every spelling need an index',
      'process/long-start > a long start says how far it is at any level, stops when told to, and survives a kill',
    ),
  ],
  stop: [
    better(
      'breaks off requests',
      '`SIGTERM` and `SIGINT` finish what is under way, 10 seconds at the most; what was acknowledged survives `kill -9`',
      'nothing acknowledged is lost',
      'faults/stopping > every listener stops at once, while a request is under way on one of them',
      'process/process > answers soon after its start, drains on SIGTERM, exits 0 and removes its pid file',
      'slow/kill > the server has everything that it acknowledged',
    ),
  ],
  'pid file': [
    better(
      'is written through a link',
      'takes the place of a link',
      'others may write in that folder',
      'process/pid-file > takes the place of a link, and leaves alone what the link names',
    ),
  ],
  'text messages': [
    same(
      'OpenMarket, its API of version 4',
      'delivery/sms > gets what its API asks for, and its references are logged',
    ),
    better(
      'OpenMarket only',
      'Twilio, or a webhook of your own, as well',
      'not everybody is with OpenMarket',
      'api/phone > %s carries codes too, and a calling code is limited',
    ),
  ],
  'finding homeservers': [
    same(
      'the specification’s order: IP literal, port, well-known file, `_matrix-fed._tcp`, `_matrix._tcp`, port 8448',
      'homeservers/discovery > a name that says where it is',
      'homeservers/discovery > a well-known file',
      'homeservers/discovery > _matrix-fed comes before _matrix',
      'homeservers/discovery > _matrix is still looked at',
      'homeservers/discovery > without any: port 8448',
    ),
    better(
      'keys are asked for with a slash too many, and kept as long as they say',
      'without, their own signature checked, and kept 7 days at most',
      'the specification; a stolen key is of use for a week, not for years',
      'homeservers/requests > are kept for 7 days at most',
      'homeservers/requests > that have not signed the answer do not count',
    ),
  ],
};

export const TOOLS: Rows = {
  '`generate-key`': [
    same(
      'prints a new signing key',
      'process/process > generate-key prints a key that a configuration takes; check-config says so',
    ),
    different(
      'and its public key, with words around',
      '`cognomen generate-key` prints the key alone; the public key is at `pubkey/ed25519:0`',
      'a script can use it as it is',
      'process/process > generate-key prints a key that a configuration takes; check-config says so',
    ),
  ],
  '`update-key`': [
    different(
      'writes a key in hex in the form of today',
      'there is none: a key in hex is read as it is',
      'nothing to do',
      'config/golden > the %s kind of file is read as it was meant',
    ),
  ],
  '`casefold_db.py`': [
    better(
      'makes one of the spellings of an address, and mails those who lose one; a user with a mail that fails is passed over',
      '`cognomen casefold [--dry-run] [--no-email]`, beside a running server: the same; what was bound keeps its dates, peers get it, and a run that was broken off goes on',
      'nobody has to stop for it; and until then addresses are found in any case, and the newest wins',
      'operations/casefold > are looked at, then folded, and who has one no more is told by mail',
      'operations/casefold > are left as they are where somebody cannot be told, unless nobody is to be',
    ),
  ],
  '`sydent-bind`': [
    different(
      'binds an address by reading its code from the database',
      '**not there**; `cognomen bind ADDRESS MXID`, or `POST /_matrix/identity/internal/bind`, does it in one step',
      'codes are nobody’s to read',
      'api/internal-api > a body is JSON whatever its type: %s',
    ),
  ],
  'the Docker image': [
    different(
      '`/data`, user and group 993, `SYDENT_CONF`, `SYDENT_DB_PATH` and `SYDENT_PID_FILE` in it, port 8090',
      '**not there yet**; with the same variables the server uses the same files',
      'it comes with packages of its own',
      'process/process > that is missing is written, and the server runs with it, from any folder',
    ),
  ],
};
