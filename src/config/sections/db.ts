import type { DatabaseConfig, PostgresConfig } from '../../storage/database-config.ts';
import {
  boolean,
  InvalidValueError,
  type Key,
  oneOf,
  seconds,
  text,
  wholeNumber,
} from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

const section = 'db';

type PostgresTarget = Omit<
  PostgresConfig,
  | 'poolSize'
  | 'preparedStatements'
  | 'statementTimeout'
  | 'connectTimeout'
  | 'startTimeout'
  | 'replicas'
  | 'readMaxLag'
>;

const SSL_MODES = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
const PARAMETERS = ['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'host', 'port', 'user'];
/** As of libpq: the authorities of the system. */
const SYSTEM = 'system';

function postgresUrl(value: string): PostgresTarget | undefined {
  if (value === '') return undefined;
  const must = (be: string) => new InvalidValueError(be);
  if (!/^postgres(ql)?:\/\//.test(value) || !URL.canParse(value)) {
    throw must('a URL such as postgres://user:password@host/database');
  }
  const url = new URL(value);
  const decode = (part: string) => {
    try {
      return decodeURIComponent(part);
    } catch {
      throw must('a URL with valid percent-encoding');
    }
  };
  const unknown = [...url.searchParams.keys()].filter((name) => !PARAMETERS.includes(name));
  if (unknown.length > 0) {
    throw must(
      `a URL with no parameters but ${PARAMETERS.join(', ')} (it has ${unknown.join(', ')})`,
    );
  }
  const parameter = (name: string) => url.searchParams.get(name) ?? undefined;
  const rootCert = parameter('sslrootcert');
  const ofSystem = rootCert === SYSTEM;
  const mode = parameter('sslmode') ?? (ofSystem ? 'verify-full' : 'prefer');
  const sslMode = SSL_MODES.find((known) => known === mode);
  if (sslMode === undefined) throw must(`a URL with sslmode one of ${SSL_MODES.join(', ')}`);
  if (ofSystem && sslMode !== 'verify-full') {
    throw must('a URL with sslmode=verify-full beside sslrootcert=system');
  }
  const socket = parameter('host');
  if (socket !== undefined && (!socket.startsWith('/') || url.hostname !== '')) {
    throw must(
      'a URL whose parameter host is the folder of a socket: postgres:///database?host=/run/postgresql&user=name',
    );
  }
  const socketPort = (socket && parameter('port')) || '5432';
  if (!/^\d{1,5}$/.test(socketPort)) throw must('a URL whose parameter port is a number');
  const host = socket ?? url.hostname.replace(/^\[(.*)\]$/, '$1');
  const user = decode(url.username) || (parameter('user') ?? '');
  const database = decode(url.pathname.slice(1));
  if (user === '' || host === '' || database === '' || database.includes('/')) {
    throw must('a URL with user, host and database: postgres://user:password@host/database');
  }
  return {
    engine: 'postgres',
    host,
    port: Number(url.port || socketPort),
    user,
    password: url.password === '' ? undefined : decode(url.password),
    database,
    sslMode,
    sslRootCert: rootCert,
    sslCert: parameter('sslcert'),
    sslKey: parameter('sslkey'),
  };
}

const MOST_REPLICAS = 16;

function replicaUrls(value: string): PostgresTarget[] {
  const urls = value.split(/[\s,]+/).filter((url) => url !== '');
  if (urls.length > MOST_REPLICAS) {
    throw new InvalidValueError(`at most ${MOST_REPLICAS} URLs`);
  }
  return urls.flatMap((url) => postgresUrl(url) ?? []);
}

export const DB = {
  file: {
    section,
    name: 'db.file',
    default: 'sydent.db',
    environment: 'SYDENT_DB_PATH',
    parse: text,
    about:
      'The SQLite database, or :memory: for one that is gone at the end. Not used when db.url is set.',
  },
  url: {
    section,
    name: 'db.url',
    default: '',
    parse: postgresUrl,
    secret: true,
    own: true,
    about:
      'A PostgreSQL database (14 or newer) instead: postgres://user:password@host:port/database. A % in it is written %%. As parameters it takes sslmode (disable, prefer, require, verify-ca, verify-full), sslrootcert (a file, or system), sslcert and sslkey; by a socket: postgres:///database?host=/run/postgresql&user=name.',
  },
  readUrl: {
    section,
    name: 'db.read_url',
    default: '',
    parse: replicaUrls,
    secret: true,
    own: true,
    about:
      'Streaming standbys of that database which lookups are read from, between commas or blanks: URLs as in db.url. One that is away, or late, is left out as long as it is.',
  },
  readMaxLag: {
    section,
    name: 'db.read_max_lag',
    default: '1',
    parse: seconds(0.5, 30),
    own: true,
    about:
      'How many seconds a standby of db.read_url may be late. So much later a lookup finds what another node has bound; what this one has bound it finds at once.',
  },
  poolSize: {
    section,
    name: 'db.pool_size',
    default: '10',
    parse: wholeNumber(1, 1000),
    own: true,
    about: 'How many connections to PostgreSQL are used at most.',
  },
  preparedStatements: {
    section,
    name: 'db.prepared_statements',
    default: 'auto',
    parse: oneOf('auto', 'on', 'off'),
    own: true,
    about:
      'Whether PostgreSQL keeps statements that are run often prepared: auto (where no pooler such as PgBouncer stands between), on, off. PgBouncer can do that from 1.21 on, with max_prepared_statements.',
  },
  statementTimeout: {
    section,
    name: 'db.statement_timeout',
    default: '30',
    parse: seconds(0),
    own: true,
    about: 'After so many seconds PostgreSQL gives up a statement. 0: never.',
  },
  connectTimeout: {
    section,
    name: 'db.connect_timeout',
    default: '5',
    parse: seconds(0.1),
    own: true,
    about: 'How many seconds to wait for a connection to PostgreSQL.',
  },
  startTimeout: {
    section,
    name: 'db.start_timeout',
    default: '60',
    parse: seconds(0),
    own: true,
    about:
      'For how many seconds a start waits for PostgreSQL to be there, where both are started together. 0: not at all.',
  },
  backup: {
    section,
    name: 'db.backup',
    default: 'true',
    parse: boolean,
    own: true,
    about:
      'Whether an older SQLite file is copied beside itself before it is changed for the first time.',
  },
  exclusive: {
    section,
    name: 'db.exclusive',
    default: 'true',
    parse: boolean,
    own: true,
    about:
      'Whether the start is refused while another program, such as Sydent, has the SQLite file open for writing.',
  },
} satisfies Record<string, Key<unknown>>;

export function readDatabase(reader: ConfigReader): DatabaseConfig {
  const postgres = reader.read(DB.url);
  const replicas = reader.read(DB.readUrl);
  const common = {
    readMaxLag: reader.read(DB.readMaxLag),
    poolSize: reader.read(DB.poolSize),
    preparedStatements: reader.read(DB.preparedStatements),
    statementTimeout: reader.read(DB.statementTimeout),
    connectTimeout: reader.read(DB.connectTimeout),
    startTimeout: reader.read(DB.startTimeout),
  };
  const sqlite = {
    engine: 'sqlite',
    file: reader.read(DB.file),
    backup: reader.read(DB.backup),
    exclusive: reader.read(DB.exclusive),
  } as const;
  if (postgres === undefined) return sqlite;
  const readFrom = replicas.map((target) => ({ ...target, ...common, replicas: [] }));
  return { ...postgres, ...common, replicas: readFrom };
}

/** What a bulk copy does with a database: few connections, and no statement is given up. */
const BULK = {
  poolSize: 3,
  preparedStatements: 'auto',
  statementTimeout: 0,
  connectTimeout: 5000,
  startTimeout: 0,
  replicas: [],
  readMaxLag: 0,
} as const;

/** The same database, for one that copies it. */
export const forBulk = (config: DatabaseConfig): DatabaseConfig =>
  config.engine === 'postgres' ? { ...config, ...BULK } : config;

/**
 * The database that a command's argument names: a URL of PostgreSQL, or the path of a SQLite file.
 * @throws InvalidValueError
 */
export function databaseNamed(argument: string): DatabaseConfig {
  if (/^postgres(ql)?:/.test(argument)) {
    const target = postgresUrl(argument);
    if (target !== undefined) return { ...target, ...BULK };
  }
  if (argument === '' || argument.includes('://') || argument === ':memory:') {
    throw new InvalidValueError(
      'a URL such as postgres://user@host/database, or the path of a SQLite file',
    );
  }
  return { engine: 'sqlite', file: argument, backup: false, exclusive: true };
}
