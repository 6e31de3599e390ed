import { InvalidValueError, type Key } from './keys.ts';
import { ConfigSyntaxError, DEFAULT_SECTION, type IniFile } from './parser.ts';

/** What the machine and its environment say where the file is silent. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The machine's host name, as the system has it. */
  readonly hostname: string;
  /** The same with its domain, where that is known. */
  readonly fullHostname?: string;
}

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
}

const shown = (value: string, secret: boolean) => (secret ? '(hidden)' : JSON.stringify(value));

/** The value, or undefined where an empty one counts as none. */
const counting = (key: Key<unknown>, text: string | undefined) =>
  text === '' && !key.emptyCounts ? undefined : text;

/** What the environment says of the key. */
export const inEnvironment = (key: Key<unknown>, env: Environment['env']): string | undefined =>
  key.environment === undefined ? undefined : counting(key, env[key.environment]);

export function createReader(ini: IniFile, environment: Environment): ConfigReader {
  const problems: string[] = [];
  const warnings: string[] = [];

  const warn = (message: string) => {
    if (!warnings.includes(message)) warnings.push(message);
  };

  function value(section: string, name: string, raw: boolean): string | undefined {
    const lower = name.toLowerCase();
    if (raw) return ini.getRaw(section, lower);
    try {
      return ini.get(section, lower);
    } catch (error) {
      if (!(error instanceof ConfigSyntaxError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  }

  function inFile({ section, name, raw, sectionOnly }: Key<unknown>): string | undefined {
    if (sectionOnly && ini.lineOf(section, name.toLowerCase()) === undefined) return undefined;
    return value(section, name, raw === true);
  }

  function find(key: Key<unknown>): { given: string; origin: string } {
    const written = inFile(key);
    const own = counting(key, written);
    if (own !== undefined) return { given: own, origin: '' };
    const inherited = inEnvironment(key, environment.env);
    const origin = inherited === undefined ? '' : ` (from ${key.environment})`;
    const given = inherited ?? key.default ?? '';
    if (written === '' && given !== '') {
      const instead = origin === '' ? (key.defaultNote ?? given) : given + origin;
      warn(`[${key.section}] ${key.name} is empty and counts as not there: it is ${instead}`);
    }
    return { given, origin };
  }

  return {
    ...environment,
    problems,
    warnings,
    has: (key) => counting(key, inFile(key)) !== undefined,
    read<T>(key: Key<T>): T {
      const { given, origin } = find(key);
      const is = `[${key.section}] ${key.name} = ${shown(given, key.secret === true)}${origin}`;
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
        .map((name): [string, string] => [name, value(section, name, false) ?? ''])
        .filter(([name, text]) => {
          if (text === '') warn(`[${section}] ${name} is empty and counts as not there`);
          return text !== '';
        });
    },
    sections: (prefix) => ini.sections.filter((name) => name.startsWith(prefix)),
    problem: (section, key, what) => void problems.push(`[${section}] ${key}: ${what}`),
    warn,
  };
}
