import type { LogLevel } from '../platform/logger.ts';
import { InvalidValueError } from './keys.ts';

/** Python's names of the levels, and pino's. */
const LEVELS = new Map<string, LogLevel>([
  ['notset', 'trace'],
  ['trace', 'trace'],
  ['debug', 'debug'],
  ['info', 'info'],
  ['warn', 'warn'],
  ['warning', 'warn'],
  ['error', 'error'],
  ['critical', 'fatal'],
  ['fatal', 'fatal'],
]);

/** A level by its name, in any case. */
export function logLevel(value: string): LogLevel {
  const level = LEVELS.get(value.toLowerCase());
  if (level !== undefined) return level;
  throw new InvalidValueError('one of DEBUG, INFO, WARNING, ERROR, CRITICAL');
}
