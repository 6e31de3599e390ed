const codeOf = (error: unknown) =>
  error instanceof Error && 'code' in error ? String(error.code) : '';

/** Words for what PostgreSQL and the network call by codes, where it passes by itself or by what an operator does. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'the connection was lost',
  EPIPE: 'the connection was lost',
  ETIMEDOUT: 'it does not answer',
  EHOSTUNREACH: 'its host cannot be reached',
  EHOSTDOWN: 'its host cannot be reached',
  ENETUNREACH: 'its network cannot be reached',
  ENOTFOUND: 'its host name is not known',
  EAI_AGAIN: 'its host name could not be looked up',
  '28000': 'it refuses the user',
  '28P01': 'it refuses the password',
  '3D000': 'the database is not there',
  '25006': 'it takes no writes: it is a standby, or read-only',
  '53000': 'it is short of resources',
  '53100': 'its disk is full',
  '53200': 'it is out of memory',
  '53300': 'it takes no more connections: raise max_connections, or lower [db] db.pool_size',
  '57014': 'it took longer than [db] db.statement_timeout',
  '55P03': 'a lock was not given within [db] db.statement_timeout',
  '57P01': 'it is shutting down, or ended the connection',
  '57P02': 'it crashed',
  '57P03': 'it is starting or stopping',
  '58030': 'it cannot read or write its files',
};

/** What the client library says where there was no connection in time. */
const NO_CONNECTION =
  /^Connection terminated due to connection timeout|^timeout exceeded when trying to connect|^timeout expired/;

/** What the client library says without a code. */
const MESSAGES: readonly [RegExp, string][] = [
  [NO_CONNECTION, 'it does not answer'],
  [/^Query read timeout/, 'it does not answer'],
  [
    /^Connection terminated|connection error and is not queryable|^Client was closed/,
    'the connection was lost',
  ],
];

/** Why PostgreSQL cannot be used for now; undefined when something else is wrong. */
export function reasonOf(error: unknown): string | undefined {
  const code = codeOf(error);
  const known = REASONS[code];
  if (known !== undefined) return known;
  if (code.startsWith('08')) return 'the connection was lost';
  if (error instanceof AggregateError) return error.errors.map(reasonOf).find((each) => each);
  if (!(error instanceof Error)) return undefined;
  return MESSAGES.find(([pattern]) => pattern.test(error.message))?.[1];
}

/** What other connections to the same server would be told as well. */
const OF_THE_SERVER = /^(?:28|3D|53|57014|55P03|58030)/;

/** Whether it refuses what the configuration says of it: at a start that is to be told at once. */
export const isRefused = (error: unknown): boolean => /^(?:28|3D)/.test(codeOf(error));

/** Whether there was no connection in time: to wait as long for another one is of no use. */
export const hasNoConnection = (error: unknown): boolean =>
  error instanceof Error && NO_CONNECTION.test(error.message);

/** Whether it came of a connection, and another one may do. */
export const isLost = (error: unknown): boolean =>
  reasonOf(error) !== undefined && !OF_THE_SERVER.test(codeOf(error)) && !hasNoConnection(error);

/** Whether a statement got no answer. */
export const isSilent = (error: unknown): boolean =>
  error instanceof Error && error.message === 'Query read timeout';

/** Whether it says, itself or as what came of it, that the server takes no writes. */
export const isReadOnly = (error: unknown): boolean =>
  codeOf(error) === '25006' || (error instanceof Error && codeOf(error.cause) === '25006');

/** Whether a connection that answered so is of no use to anybody: the server behind it takes no writes, or is silent. */
export const isBroken = (error: unknown): boolean => codeOf(error) === '25006' || isSilent(error);

/** Whether the server takes no further connection, while those that are open go on working. */
export const tooManyConnections = (error: unknown): boolean => codeOf(error) === '53300';
