import { isIP } from 'node:net';
import { parseDsn, type ReportTarget } from '../platform/error-reports.ts';
import { withoutTrailing } from '../platform/without-trailing.ts';
import { pythonFloat, pythonInt } from './numbers.ts';

/** Notes that a value is taken, but hardly meant so; `what` ends the sentence "it means …". */
export type Warn = (what: string) => void;

/** One key of the configuration file: the one place where all that is known of it stands. */
export interface Key<T> {
  readonly section: string;
  /** As documented; names are read in any case. */
  readonly name: string;
  /** What stands for it when the file has no such key; undefined where only its absence says that. */
  readonly default: string | undefined;
  /** The value; @throws InvalidValueError */
  readonly parse: (text: string, warn: Warn) => T;
  /** Explains it, in full sentences. */
  readonly about: string;
  /** The environment variable that gives the default. */
  readonly environment?: string;
  /** Never shown in messages. */
  readonly secret?: true;
  /**
   * An empty value says something of its own. Everywhere else it counts as not there: the key's default
   * stands for it, which may be empty itself.
   */
  readonly emptyCounts?: true;
  /** What stands in `[DEFAULT]` is not meant for it: another section has a key of the same name. */
  readonly sectionOnly?: true;
  /** Read without interpolation. */
  readonly raw?: true;
  /** Unknown to Sydent. */
  readonly own?: true;
  /** It is read still, and something else is to be used. */
  readonly deprecated?: true;
  /** What a first start writes into the new file where that is not the default, which existing files keep. */
  readonly firstStart?: string;
  /** What the reference says of the default where the text alone would not do. */
  readonly defaultNote?: string;
}

/** A value that a key cannot have; the message says what it can: it ends the sentence "must be …". */
export class InvalidValueError extends Error {
  override readonly name = 'InvalidValueError';
}

const must = (be: string) => new InvalidValueError(be);

export const text = (value: string): string => value;

export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER) {
  return (value: string): number => {
    const number = pythonInt(value);
    if (number >= min && number <= max) return number;
    throw must(
      max === Number.MAX_SAFE_INTEGER
        ? `a whole number, ${min} or more`
        : `a whole number from ${min} to ${max}`,
    );
  };
}

/** Any whole number; below the least that makes sense it is taken with a warning. */
export function numberFrom(least: number, otherwise: (value: number) => string) {
  return (value: string, warn: Warn): number => {
    const number = pythonInt(value);
    if (Number.isNaN(number)) throw must('a whole number');
    if (number < least) warn(otherwise(number));
    return number;
  };
}

export const port = wholeNumber(0, 65_535);

/** Seconds in the file, milliseconds for the program. */
export function seconds(min: number, max = 86_400) {
  return (value: string): number => {
    const number = /^\d+(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
    if (number >= min && number <= max) return Math.round(number * 1000);
    throw must(`a number of seconds from ${min} to ${max}`);
  };
}

/** Days in the file, milliseconds for the program. */
export function days(value: string): number {
  const number = /^\d{1,5}(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (number <= 36_500) return Math.round(number * 24 * 60 * 60 * 1000);
  throw must('a number of days from 0 to 36500');
}

/** Hours in the file, milliseconds for the program. */
export function hours(value: string): number {
  const number = /^\d{1,6}(\.\d+)?$/.test(value) ? Number(value) : Number.NaN;
  if (number <= 876_000) return Math.round(number * 60 * 60 * 1000);
  throw must('a number of hours from 0 to 876000');
}

export function positive(value: string): number {
  const [numerator = '', denominator, ...more] = value.split('/');
  const number =
    pythonFloat(numerator) / (denominator === undefined ? 1 : pythonFloat(denominator));
  if (number > 0 && Number.isFinite(number) && more.length === 0) return number;
  throw must('a number above 0, or a fraction such as 1/300');
}

/** How much a limit of Sydent's lets through at once. */
export const sydentBurst = numberFrom(1, () => 'that nothing is ever let through');

/** How many a second a limit lets through in the long run. */
export function rate(value: string, warn: Warn): number {
  if (pythonFloat(value) !== Infinity) return positive(value);
  warn('that there is no limit');
  return Infinity;
}

/** The same, with 0 for no limit. */
export const rateOrOff = (value: string, warn: Warn): number =>
  pythonFloat(value) === 0 ? 0 : rate(value, warn);

/** A number of units, or 0 for no limit. */
export function burst(value: string): number {
  if (pythonFloat(value) === 0) return 0;
  try {
    return positive(value);
  } catch {
    throw new InvalidValueError('a number, or 0 for no limit');
  }
}

/** What parses, or undefined where there is nothing. */
export const orAbsent =
  <T>(parse: Key<T>['parse']) =>
  (value: string, warn: Warn): T | undefined =>
    value === '' ? undefined : parse(value, warn);

/** Booleans as Python's ConfigParser reads them. */
export function boolean(value: string): boolean {
  const lower = value.toLowerCase();
  if (['1', 'yes', 'true', 'on'].includes(lower)) return true;
  if (['0', 'no', 'false', 'off'].includes(lower)) return false;
  throw must('one of true, yes, on, 1, false, no, off, 0');
}

/** Booleans as Sydent reads some: anything but `true` is false. */
export function onlyTrue(value: string, warn: Warn): boolean {
  const lower = value.toLowerCase();
  if (lower !== 'true' && lower !== 'false') warn('false; write true or false');
  return lower === 'true';
}

export function oneOf<const T extends string>(...allowed: readonly T[]) {
  return (value: string): T => {
    const found = allowed.find((option) => option === value.toLowerCase());
    if (found !== undefined) return found;
    throw must(`one of ${allowed.join(', ')}`);
  };
}

/** The entries between commas or on lines of their own, without empty ones. */
export function list(value: string): string[] {
  return value
    .split(/[,\n]/)
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** One entry a line. */
export function lines(value: string): string[] {
  return value
    .split('\n')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '');
}

/** IP addresses with or without a port; an IPv6 address with one stands in brackets. */
export function addressesWithPort(value: string): string[] {
  return list(value).map((entry) => {
    const [, inBrackets, bare, given] =
      /^(?:\[(.*)\]|([^:]*|[^[\]]*:[^[\]]*:[^[\]]*))(?::(\d{1,5}))?$/.exec(entry) ?? [];
    const family = isIP(inBrackets ?? bare ?? '');
    const fits = given === undefined || (Number(given) >= 1 && Number(given) <= 65_535);
    if (family !== 0 && (inBrackets === undefined || family === 6) && fits) return entry;
    throw must(
      `IP addresses between commas, each with or without a port (${JSON.stringify(entry)} is not one)`,
    );
  });
}

/**
 * An http or https URL without query and fragment, its final slash taken off; without a scheme it is an
 * https one. Empty stays empty.
 */
export function baseUrl(value: string, warn: Warn): string {
  if (value === '') return '';
  const isWhole = /^[a-z][a-z0-9+.-]*:(?!\d)/i.test(value);
  const whole = isWhole ? value : `https://${value}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  const plain = url !== undefined && /^https?:$/.test(url.protocol) && !/[?#\s]|^\//.test(value);
  if (!plain) throw must('an http:// or https:// URL without query and fragment');
  if (!isWhole) warn(`${whole}: it has no scheme`);
  return withoutTrailing(whole, '/');
}

/** An http or https URL, to be used as it is. Empty stays empty. */
export function httpUrl(value: string): string {
  if (value === '') return '';
  const url = URL.canParse(value) ? new URL(value) : undefined;
  const plain =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.password === '' &&
    !/[#\s]/.test(value);
  if (!plain) throw must('an http:// or https:// URL without user, password and fragment');
  return value;
}

/** The DSN of a Sentry project. Empty: none. */
export function dsn(value: string): ReportTarget | undefined {
  if (value === '') return undefined;
  const target = parseDsn(value);
  if (target === undefined) throw must('a DSN of Sentry, such as https://KEY@sentry.example.org/1');
  return target;
}

/** A name of a folder in templates.path. Empty: that itself. */
export function brand(value: string, warn: Warn): string {
  if (value === '') warn('that templates are looked for in templates.path itself');
  if (/^(?!\.{1,2}$)[^/\\\p{C}]{0,255}$/u.test(value)) return value;
  throw must('the name of a folder');
}
