import type { LogOptions } from '../../platform/logger.ts';
import { boolean, type Key, oneOf, text } from '../keys.ts';
import { logLevel } from '../log-level.ts';
import type { ConfigReader } from '../reader.ts';

export interface LogConfig extends LogOptions {
  /** Whether requests are logged with the address of their client. */
  readonly clientAddress: boolean;
}

const section = 'general';

/** Keys of `[general]`: what is logged, and where. */
export const LOG = {
  logPath: {
    section,
    name: 'log.path',
    default: '',
    parse: text,
    about:
      'The file to log to. Empty: standard error. It starts anew at midnight; SIGHUP opens it again.',
  },
  logLevel: {
    section,
    name: 'log.level',
    default: 'INFO',
    parse: logLevel,
    about: 'The least serious level that is logged: DEBUG, INFO, WARNING, ERROR or CRITICAL.',
  },
  logFormat: {
    section,
    name: 'log.format',
    default: 'auto',
    parse: oneOf('auto', 'json', 'pretty'),
    own: true,
    about:
      'How lines are logged: json, pretty (to be read by people), or auto: pretty on a terminal, else json.',
  },
  clientAddress: {
    section,
    name: 'log.client_address',
    default: 'false',
    parse: boolean,
    own: true,
    about:
      'Whether the line of a request has the client’s address, beside a name for its network that nobody can resolve once its week is over.',
  },
} satisfies Record<string, Key<unknown>>;

export const readLog = (reader: ConfigReader): LogConfig => ({
  path: reader.read(LOG.logPath),
  level: reader.read(LOG.logLevel),
  format: reader.read(LOG.logFormat),
  clientAddress: reader.read(LOG.clientAddress),
});
