import type { LogLevel } from './config.ts';
import { InvalidValueError } from './keys.ts';

/** Python's names of the levels, and pino's. */
const LEVELS: Readonly<Record<string, LogLevel>> = {
  notset: 'trace',
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  critical: 'fatal',
  fatal: 'fatal',
};

/** The level of that name. @throws InvalidValueError */
export function logLevel(value: string): LogLevel {
  const level = LEVELS[value.toLowerCase()];
  if (level !== undefined) return level;
  throw new InvalidValueError('one of DEBUG, INFO, WARNING, ERROR, CRITICAL');
}
