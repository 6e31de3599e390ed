import { InvalidValueError, type Key } from './keys.ts';
import { ConfigSyntaxError, DEFAULT_SECTION, type IniFile } from './parser.ts';

/** What the machine and its environment say where the file is silent. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The machine's host name, with its domain where that is known. */
  readonly hostname: string;
}

/** Takes values out of a file, key by key, and collects what is wrong with them. */
export interface ConfigReader extends Surroundings {
  /** The key's value, or its default's after noting the problem. */
  read<T>(key: Key<T>): T;
  /** Whether the file has the key. */
  has(key: Key<unknown>): boolean;
  /** Keys that begin so, of a section and DEFAULT, with their values. */
  family(section: string, prefix: string): [key: string, value: string][];
  /** Sections that begin so. */
  sections(prefix: string): string[];
  problem(section: string, key: string, what: string): void;
  warn(message: string): void;
  readonly problems: string[];
  readonly warnings: string[];
}

const shown = (value: string, secret: boolean) => (secret ? '(hidden)' : JSON.stringify(value));

export function createReader(ini: IniFile, surroundings: Surroundings): ConfigReader {
  const problems: string[] = [];
  const warnings: string[] = [];

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

  return {
    ...surroundings,
    problems,
    warnings,
    has: (key) => ini.getRaw(key.section, key.name.toLowerCase()) !== undefined,
    read<T>(key: Key<T>): T {
      const environment = key.environment && surroundings.env[key.environment];
      const fallback = environment || key.default || '';
      const inFile = value(key.section, key.name, key.raw === true);
      const given = inFile ?? fallback;
      const origin = inFile === undefined && environment ? ` (from ${key.environment})` : '';
      try {
        return key.parse(given);
      } catch (error) {
        if (!(error instanceof InvalidValueError)) throw error;
        const is = shown(given, key.secret === true);
        problems.push(`[${key.section}] ${key.name} = ${is}${origin}: must be ${error.message}`);
        // Any valid value serves: with a problem noted nobody gets to see it.
        return key.parse(key.default ?? '');
      }
    },
    family(section, prefix) {
      const names = new Set([...ini.keys(DEFAULT_SECTION), ...ini.keys(section)]);
      return [...names]
        .filter((name) => name.startsWith(prefix))
        .map((name) => [name.slice(prefix.length), value(section, name, false) ?? '']);
    },
    sections: (prefix) => ini.sections.filter((name) => name.startsWith(prefix)),
    problem: (section, key, what) => void problems.push(`[${section}] ${key}: ${what}`),
    warn: (message) => void warnings.push(message),
  };
}
