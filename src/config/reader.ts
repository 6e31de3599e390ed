import { InvalidValueError, type Key, text } from './keys.ts';
import { ConfigSyntaxError, DEFAULT_SECTION } from './parser.ts';
import {
  type Environment,
  type Files,
  type Given,
  givenOver,
  givenUnder,
  SecretFileError,
  type Secrets,
  secretIn,
} from './sources.ts';

/** Takes values out of a file, key by key, and collects what is wrong with them. */
export interface ConfigReader extends Environment {
  /** The key's value, or its default's after noting the problem. */
  read<T>(key: Key<T>): T;
  /** Whether the file has the key: not so where it is empty and `emptyCounts` does not say otherwise. */
  has(key: Key<unknown>): boolean;
  /** Keys that begin so, of a section and DEFAULT, with their values; without empty ones. */
  family(section: string, prefix: string): [key: string, value: string][];
  /** Sections that begin so. */
  sections(prefix: string): string[];
  problem(section: string, key: string, what: string): void;
  warn(message: string): void;
  readonly problems: string[];
  readonly warnings: string[];
  /** What stood in files of secrets that were read so far. */
  readonly readSecrets: Secrets;
  /** All that was read so far. */
  readonly values: readonly ReadValue[];
}

/** A value as it is in force, before it is parsed. */
export interface ReadValue {
  readonly key: Key<unknown>;
  /** Undefined where there is none, and no default. */
  readonly value: string | undefined;
  /** The file, or the variable of the environment; undefined: it is the default. */
  readonly from: string | undefined;
}

const shown = (value: string, secret: boolean) => (secret ? '(hidden)' : JSON.stringify(value));

/** The value, or undefined where an empty one counts as none. */
const counting = (key: Key<unknown>, given: Given | undefined) =>
  given?.value === '' && !key.emptyCounts ? undefined : given;

export function createReader(files: Files, environment: Environment): ConfigReader {
  const ini = files.merged;
  const { env } = environment;
  const problems: string[] = [];
  const warnings: string[] = [];
  const values: ReadValue[] = [];
  const secrets: Record<string, string> = {};
  const readSecret = (file: string) => {
    const secret = environment.secrets?.[file] ?? secretIn(file);
    secrets[file] = secret;
    return secret;
  };

  const warn = (message: string) => {
    if (!warnings.includes(message)) warnings.push(message);
  };

  /** What comes of looking for a value; undefined, with the problem noted, where it cannot be read. */
  function noting<T>(what: string, look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      const isKnown = error instanceof ConfigSyntaxError || error instanceof SecretFileError;
      if (!isKnown) throw error;
      problems.push(error instanceof SecretFileError ? `${what}: ${error.message}` : error.message);
      return undefined;
    }
  }

  const nameOf = ({ section, name }: Key<unknown>) => `[${section}] ${name}`;
  const written = (key: Key<unknown>) =>
    noting(nameOf(key), () => givenOver(key, env, readSecret) ?? files.find(key, readSecret));

  function find(key: Key<unknown>): Given | undefined {
    const first = written(key);
    const own = counting(key, first);
    if (own !== undefined) return own;
    const inherited = givenUnder(key, env);
    if (first?.value === '' && (inherited ?? key.default)) {
      const instead = inherited ? shownFrom(inherited) : (key.defaultNote ?? key.default);
      warn(`${nameOf(key)} is empty and counts as not there: it is ${instead}`);
    }
    return inherited;
  }

  /** Where it is worth saying: what is not in a configuration file. */
  const originOf = ({ from }: Given) => (from.startsWith('$') ? ` (from ${from.slice(1)})` : '');
  const shownFrom = (given: Given) => given.value + originOf(given);

  return {
    ...environment,
    problems,
    warnings,
    values,
    readSecrets: secrets,
    has: (key) => counting(key, written(key)) !== undefined,
    read<T>(key: Key<T>): T {
      const found = find(key);
      const given = found?.value ?? key.default ?? '';
      values.push({ key, value: found?.value ?? key.default, from: found?.from });
      const is = `${nameOf(key)} = ${shown(given, key.secret === true)}${found ? originOf(found) : ''}`;
      try {
        return key.parse(given, (what) => warn(`${is} means ${what}`));
      } catch (error) {
        if (!(error instanceof InvalidValueError)) throw error;
        problems.push(`${is}: must be ${error.message}`);
        // Any valid value serves: with a problem noted nobody gets to see it.
        return key.parse(key.default ?? '', () => {});
      }
    },
    family(section, prefix) {
      const names = new Set([...ini.keys(section), ...ini.keys(DEFAULT_SECTION)]);
      return [...names]
        .filter((name) => name.startsWith(prefix))
        .map((name): [string, string] => {
          const key = { section, name, default: undefined, parse: text, about: '' };
          const found = noting(nameOf(key), () => files.find(key, readSecret));
          values.push({ key, value: found?.value, from: found?.from });
          return [name, found?.value ?? ''];
        })
        .filter(([name, value]) => {
          if (value === '') warn(`[${section}] ${name} is empty and counts as not there`);
          return value !== '';
        });
    },
    sections: (prefix) => ini.sections.filter((name) => name.startsWith(prefix)),
    problem: (section, key, what) => void problems.push(`[${section}] ${key}: ${what}`),
    warn,
  };
}
