import { readFileSync, statSync } from 'node:fs';
import { withoutTrailing } from '../platform/without-trailing.ts';
import type { Key } from './keys.ts';
import { type IniFile, mergeIni } from './parser.ts';

/** What the machine and its environment say beside the files. */
export interface Environment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The machine's host name, as the system has it. */
  readonly hostname: string;
  /** The same with its domain, where that is known. */
  readonly fullHostname?: string;
  /** What stood in files of secrets, where they are not to be read again. */
  readonly secrets?: Secrets;
}

/** What stands in files of secrets, by their paths. */
export type Secrets = Readonly<Record<string, string>>;

/** Reads a file of a secret. @throws SecretFileError */
export type ReadSecret = (file: string) => string;

/** A configuration file that has been read. */
export interface ParsedFile {
  readonly file: string;
  readonly ini: IniFile;
}

/** A value as it was given, and where. */
export interface Given {
  readonly value: string;
  /** Such as `sydent.conf`, `$COGNOMEN_DB_DB_FILE` or `/run/secrets/password`. */
  readonly from: string;
}

/** A value that stands in a file of its own, which cannot be read, or is also given itself. */
export class SecretFileError extends Error {
  override readonly name = 'SecretFileError';
}

/** Octets. */
const LONGEST_SECRET = 64 * 1024;

/** What is put behind the name of a key that holds a secret, for the file in which that stands. */
export const FILE_SUFFIX = '_file';

/** The environment variable that sets the key, whatever the files say. */
export const variableOf = ({ section, name }: Pick<Key<unknown>, 'section' | 'name'>): string =>
  `COGNOMEN_${`${section}_${name}`.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_')}`;

/** The text of a secret's own file, without the end of its last line. @throws SecretFileError */
export function secretIn(file: string): string {
  try {
    const { size } = statSync(file);
    if (size > LONGEST_SECRET) throw new Error(`it has more than ${LONGEST_SECRET} octets`);
    return withoutTrailing(readFileSync(file, 'utf8').replaceAll('\r\n', '\n'), '\n');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SecretFileError(`the file ${JSON.stringify(file)} cannot be read: ${reason}`);
  }
}

/** An empty value that says nothing of its own is none. */
const counting = (key: Key<unknown>, text: string | undefined) =>
  text === '' && !key.emptyCounts ? undefined : text;

/** The value of the key, or of the file that it names beside itself. @throws SecretFileError */
function valueOrFile(
  key: Key<unknown>,
  from: string,
  read: (name: string) => string | undefined,
  readSecret: ReadSecret,
): Given | undefined {
  const own = read(key.name);
  const file = key.secret ? read(key.name + FILE_SUFFIX) : undefined;
  if (file) {
    if (counting(key, own) !== undefined) {
      throw new SecretFileError(`${key.name}${FILE_SUFFIX} is there as well; keep one of them`);
    }
    return { value: readSecret(file), from: file };
  }
  return own === undefined ? undefined : { value: own, from };
}

/** What the environment says of the key, over the files. @throws SecretFileError */
export function givenOver(
  key: Key<unknown>,
  env: Environment['env'],
  readSecret: ReadSecret,
): Given | undefined {
  const read = (name: string) => env[variableOf({ ...key, name })];
  const given = valueOrFile(key, `$${variableOf(key)}`, read, readSecret);
  return given && counting(key, given.value) !== undefined ? given : undefined;
}

/** What the environment says of the key where the files are silent, by a variable that Sydent has, too. */
export function givenUnder(key: Key<unknown>, env: Environment['env']): Given | undefined {
  if (key.environment === undefined) return undefined;
  const value = counting(key, env[key.environment]);
  return value === undefined ? undefined : { value, from: `$${key.environment}` };
}

/** The files, of which later ones win key by key. */
export interface Files {
  /** All of them as one. */
  readonly merged: IniFile;
  /**
   * What they say of the key; it may be empty.
   * @throws SecretFileError
   * @throws ConfigSyntaxError
   */
  find(key: Key<unknown>, readSecret: ReadSecret): Given | undefined;
}

export function createFiles(files: readonly ParsedFile[]): Files {
  const merged = mergeIni(files.map(({ ini }) => ini));
  const latest = files.toReversed();
  const [newest] = latest;

  function fileOf(section: string, name: string): string {
    const has = ({ ini }: ParsedFile) => ini.own(section, name) !== undefined;
    const serves = ({ ini }: ParsedFile) => ini.getRaw(section, name) !== undefined;
    return (latest.find(has) ?? latest.find(serves) ?? newest)?.file ?? '';
  }

  return {
    merged,
    find(key, readSecret) {
      const { section, raw, sectionOnly } = key;
      const read = (ini: IniFile) => (name: string) => {
        const lower = name.toLowerCase();
        if (sectionOnly && ini.own(section, lower) === undefined) return undefined;
        return raw ? ini.getRaw(section, lower) : ini.get(section, lower);
      };
      if (key.secret) {
        // A later file may name another file for what an earlier one says itself.
        for (const { file, ini } of latest) {
          const mentions = [key.name, key.name + FILE_SUFFIX].some(
            (name) => ini.getRaw(section, name.toLowerCase()) !== undefined,
          );
          if (mentions) return valueOrFile(key, file, read(ini), readSecret);
        }
        return undefined;
      }
      const value = read(merged)(key.name);
      return value === undefined
        ? undefined
        : { value, from: fileOf(section, key.name.toLowerCase()) };
    },
  };
}
