import { withoutTrailing } from '../platform/without-trailing.ts';

/**
 * Reads INI files as Python's ConfigParser does with its default settings: what Sydent's operators wrote
 * must mean the same here.
 */

/** A file that cannot be read as configuration. */
export class ConfigSyntaxError extends Error {
  override readonly name = 'ConfigSyntaxError';
}

export const DEFAULT_SECTION = 'DEFAULT';
/** As Python: so deep may one value refer to another. */
const MAX_DEPTH = 10;

/** The sections of a file, their values not interpolated yet. */
export interface IniFile {
  /** Section names in the order of the file, without DEFAULT. */
  readonly sections: readonly string[];
  /** Keys of the section itself, lower case, without those of DEFAULT. */
  keys(section: string): string[];
  /** The value as it stands in the section itself. */
  own(section: string, key: string): string | undefined;
  /** The value as it stands in the file; DEFAULT serves every section, even one that is not there. */
  getRaw(section: string, key: string): string | undefined;
  /** The value with `%(name)s` filled in and `%%` made `%`. @throws ConfigSyntaxError */
  get(section: string, key: string): string | undefined;
  /** The line, counted from 0, of the section's header, or of a key of the section itself. */
  lineOf(section: string, key?: string): number | undefined;
}

// What Python's str.strip() and \s take for white space; unlike JavaScript's, not U+FEFF.
const SPACE = '(?:[^\\S\\ufeff]|[\\x1c-\\x1f\\x85])';
const IS_SPACE = new RegExp(SPACE, 'u');
const NOT_SPACE = new RegExp(`(?!${SPACE}).`, 'su');
const isSpace = (character: string | undefined) =>
  character !== undefined && IS_SPACE.test(character);

function strip(text: string): string {
  let [start, end] = [0, text.length];
  while (isSpace(text[start])) start++;
  while (end > start && isSpace(text[end - 1])) end--;
  return text.slice(start, end);
}

const SECTION = /^\[(.+)\]/su;
const OPTION = /^(.*?)[=:](.*)$/su;

interface Cursor {
  section: Map<string, string[]> | undefined;
  sectionName: string;
  key: string | undefined;
  indent: number;
}

/** Text with or without a byte order mark. @throws ConfigSyntaxError that names the line. */
export function parseIni(text: string): IniFile {
  const sections = new Map<string, Map<string, string[]>>([[DEFAULT_SECTION, new Map()]]);
  const seen = new Set<string>();
  const cursor: Cursor = {
    section: undefined,
    sectionName: '',
    key: undefined,
    indent: 0,
  };

  const positions = new Map<string, number>();
  const lines = text.replace(/^\ufeff/, '').split(/\r\n|\r|\n/);
  if (lines.at(-1) === '') lines.pop();
  lines.forEach((line, index) => {
    const fail = (what: string) => new ConfigSyntaxError(`line ${index + 1}: ${what}`);
    const value = strip(line);
    const comment = value.startsWith('#') || value.startsWith(';');
    const current = cursor.key === undefined ? undefined : cursor.section?.get(cursor.key);

    if (value === '' || comment) {
      // An empty line may be part of a value that goes on below; a comment line is not.
      if (!comment && current !== undefined) current.push('');
      // Python counts what is left of a comment line as an empty one.
      return;
    }
    const indent = line.search(NOT_SPACE);
    if (current !== undefined && indent > cursor.indent) {
      current.push(value);
      return;
    }
    cursor.indent = indent;

    const header = SECTION.exec(value)?.[1];
    if (header !== undefined) {
      if (seen.has(header)) throw fail(`section [${header}] is there twice`);
      if (header !== DEFAULT_SECTION) seen.add(header);
      const section = sections.get(header) ?? new Map<string, string[]>();
      sections.set(header, section);
      Object.assign(cursor, { section, sectionName: header, key: undefined });
      positions.set(position(header), index);
      return;
    }
    if (cursor.section === undefined) {
      throw fail(`${JSON.stringify(value)} stands before the first [section]`);
    }
    const option = OPTION.exec(value);
    if (option === null) throw fail(`${JSON.stringify(value)} has neither = nor :`);
    const key = strip(option[1] ?? '').toLowerCase();
    if (key === '') throw fail(`${JSON.stringify(value)} has no key`);
    if (cursor.section.has(key)) {
      throw fail(`${key} is there twice in section [${cursor.sectionName}]`);
    }
    cursor.section.set(key, [strip(option[2] ?? '')]);
    cursor.key = key;
    positions.set(position(cursor.sectionName, key), index);
  });

  return iniFile(
    new Map(
      [...sections].map(([name, keys]) => [
        name,
        new Map([...keys].map(([key, parts]) => [key, withoutTrailing(parts.join('\n'), '\n')])),
      ]),
    ),
    positions,
  );
}

/** Several files as one: what a later one says of a key of a section wins, as when Python reads them one after the other. */
export function mergeIni(files: readonly IniFile[]): IniFile {
  const [only] = files;
  if (only !== undefined && files.length === 1) return only;
  const sections = new Map<string, Map<string, string>>([[DEFAULT_SECTION, new Map()]]);
  for (const file of files) {
    for (const name of [DEFAULT_SECTION, ...file.sections]) {
      const section = sections.get(name) ?? new Map<string, string>();
      sections.set(name, section);
      for (const key of file.keys(name)) section.set(key, file.own(name, key) ?? '');
    }
  }
  return iniFile(sections, new Map());
}

const position = (section: string, key?: string) => JSON.stringify([section, key]);

function iniFile(
  sections: ReadonlyMap<string, ReadonlyMap<string, string>>,
  positions: ReadonlyMap<string, number>,
): IniFile {
  const getRaw = (section: string, key: string) =>
    sections.get(section)?.get(key) ?? sections.get(DEFAULT_SECTION)?.get(key);

  function interpolate(section: string, key: string, value: string, depth: number): string {
    const fail = (what: string) => new ConfigSyntaxError(`[${section}] ${key}: ${what}`);
    if (depth > MAX_DEPTH) throw fail('values refer to one another too deeply');
    let result = '';
    let rest = value;
    for (;;) {
      const percent = rest.indexOf('%');
      if (percent < 0) return result + rest;
      result += rest.slice(0, percent);
      rest = rest.slice(percent);
      if (rest.startsWith('%%')) {
        result += '%';
        rest = rest.slice(2);
        continue;
      }
      const reference = /^%\(([^)]+)\)s/.exec(rest);
      if (reference === null) {
        throw fail('a % must be written %%, or stand in %(name)s');
      }
      const name = (reference[1] ?? '').toLowerCase();
      const referred = getRaw(section, name);
      if (referred === undefined) throw fail(`%(${name})s names a key that is not there`);
      result += referred.includes('%') ? interpolate(section, name, referred, depth + 1) : referred;
      rest = rest.slice(reference[0].length);
    }
  }

  return {
    sections: [...sections.keys()].filter((name) => name !== DEFAULT_SECTION),
    keys: (section) => [...(sections.get(section)?.keys() ?? [])],
    own: (section, key) => sections.get(section)?.get(key),
    getRaw,
    get(section, key) {
      const raw = getRaw(section, key);
      return raw === undefined ? undefined : interpolate(section, key, raw, 1);
    },
    lineOf: (section, key) => positions.get(position(section, key)),
  };
}
