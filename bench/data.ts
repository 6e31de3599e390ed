/** A database as Sydent leaves it: associations, sessions that are validated, accounts with a token each. */
import { createHash } from 'node:crypto';
import Database from 'better-sqlite3';
import pg from 'pg';
import pino from 'pino';
import { lookupHash } from '../src/model/lookup-hash.ts';
import { systemClock } from '../src/platform/clock.ts';
import { createProgress } from '../src/platform/progress.ts';
import { secureRandom } from '../src/platform/random.ts';
import { openSqlite } from '../src/storage/engines/sqlite/open.ts';
import { openStorage } from '../src/storage/open.ts';

export const SERVER_NAME = 'id.test';
export const PEPPER = 'pepperpepperpepperpe';
/** Validated sessions, each for one bind. */
export const SESSIONS = 30_000;
export const SESSION_SECRET = 'secret';
/** One access token for each of so many accounts. */
export const ACCOUNTS = 64;

const pad = (number: number) => String(number).padStart(8, '0');
export const addressOf = (number: number) => `user${pad(number)}@sample.test`;
export const mxidOf = (number: number) => `@user${pad(number)}:hs.test`;
export const hashOf = (number: number) => lookupHash(addressOf(number), 'email', PEPPER);
export const tokenOf = (account: number) => `token${pad(account)}`.padEnd(64, 'x');
const storedToken = (account: number) =>
  `sha256:${createHash('sha256').update(tokenOf(account)).digest('base64url')}`;

const NOT_AFTER = 100 * 365 * 24 * 3600 * 1000;
/** Signed by nobody: it is as long as one that is, and is not checked. */
const association = (number: number, ts: number) =>
  JSON.stringify({
    address: addressOf(number),
    medium: 'email',
    mxid: mxidOf(number),
    not_after: ts + NOT_AFTER,
    not_before: ts,
    signatures: { [SERVER_NAME]: { 'ed25519:0': 'A'.repeat(86) } },
    ts,
  });

const logger = pino({ level: 'silent' });
const dependencies = {
  logger,
  clock: systemClock,
  random: secureRandom,
  serverName: SERVER_NAME,
  pidFile: '',
};

export async function fillSqlite(file: string, count: number, sessions = SESSIONS): Promise<void> {
  const config = { engine: 'sqlite', file, backup: false, exclusive: false } as const;
  const progress = createProgress(dependencies);
  const opened = await openSqlite(config, { ...dependencies, progress });
  opened.close();
  const db = new Database(file);
  db.pragma('synchronous = OFF');
  const now = Date.now();
  const fill = db.transaction(() => {
    db.prepare('insert or replace into hashing_metadata (id, lookup_pepper) values (0, ?)').run(
      PEPPER,
    );
    const own = db.prepare(
      'insert into local_threepid_associations values (?, ?, ?, ?, ?, ?, ?, ?)',
    );
    const all = db.prepare(
      'insert into global_threepid_associations values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)',
    );
    for (let i = 1; i <= count; i++) {
      const [address, mxid, hash] = [addressOf(i), mxidOf(i), hashOf(i)];
      const until = now + NOT_AFTER;
      own.run(i, 'email', address, mxid, now, now, until, hash);
      const signed = association(i, now);
      all.run(i, 'email', address, mxid, now, now, until, SERVER_NAME, i, signed, hash);
    }
    const session = db.prepare(
      'insert into threepid_validation_sessions values (?, ?, ?, ?, 1, ?)',
    );
    for (let i = 1; i <= sessions; i++) {
      session.run(i, 'email', `session${pad(i)}@sample.test`, SESSION_SECRET, now);
    }
    const account = db.prepare('insert into accounts values (?, ?, null)');
    const token = db.prepare('insert into tokens values (?, ?)');
    for (let i = 0; i < ACCOUNTS; i++) {
      account.run(mxidOf(i), now);
      token.run(storedToken(i), mxidOf(i));
    }
  });
  fill();
  db.close();
}

export interface PostgresAccess {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
}

/** As after a copy: the tables are full, nothing is indexed by us, and the planner knows nothing of them. */
export async function fillPostgres(access: PostgresAccess, count: number): Promise<void> {
  const storage = await openStorage(
    {
      engine: 'postgres',
      ...access,
      sslMode: 'disable',
      sslRootCert: undefined,
      sslCert: undefined,
      sslKey: undefined,
      poolSize: 1,
      preparedStatements: 'auto',
      statementTimeout: 0,
      connectTimeout: 5000,
      startTimeout: 0,
      replicas: [],
      readMaxLag: 0,
    },
    dependencies,
  );
  await storage.close();
  const client = new pg.Client(access);
  await client.connect();
  const now = Date.now();
  const until = now + NOT_AFTER;
  const columns = `'email', address, mxid, ${now}, ${now}, ${until}`;
  const people = `(select i, 'user' || lpad(i::text, 8, '0') || '@sample.test' as address,
    '@user' || lpad(i::text, 8, '0') || ':hs.test' as mxid from generate_series(1, ${count}) i) p`;
  const hash = `translate(rtrim(encode(sha256(convert_to(address || ' email ${PEPPER}', 'UTF8')), 'base64'), '='), '+/', '-_')`;
  const [head = '', tail = ''] = association(0, now).split(addressOf(0));
  const signed = `'${head}' || address || replace('${tail}', '${mxidOf(0)}', mxid)`;
  for (const statement of [
    `update hashing_metadata set lookup_pepper = '${PEPPER}'`,
    `insert into local_threepid_associations
      select i, ${columns}, ${hash} from ${people}`,
    `insert into global_threepid_associations
      select i, ${columns}, '${SERVER_NAME}', i, ${signed}, ${hash} from ${people}`,
    `insert into threepid_validation_sessions
      select i, 'email', 'session' || lpad(i::text, 8, '0') || '@sample.test', '${SESSION_SECRET}', 1, ${now}
      from generate_series(1, ${SESSIONS}) i`,
    ...['local', 'global'].map(
      (name) =>
        `select setval(pg_get_serial_sequence('${name}_threepid_associations', 'id'), ${count})`,
    ),
  ]) {
    await client.query(statement);
  }
  for (let i = 0; i < ACCOUNTS; i++) {
    await client.query('insert into accounts values ($1, $2, null)', [mxidOf(i), now]);
    await client.query('insert into tokens values ($1, $2)', [storedToken(i), mxidOf(i)]);
  }
  await client.end();
}
