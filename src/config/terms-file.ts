import { readFile } from 'node:fs/promises';
import type { TermsDocument, TermsPolicy } from '../model/terms.ts';
import { ConfigError } from './load.ts';

/** What is to be known of places in the file: the paths of keys that lead there. */
interface Places {
  /** Notes a fault. */
  fault(path: readonly string[], what: string): void;
  /** The value as it is written. */
  source(path: readonly string[]): string | undefined;
}
type Fault = Places['fault'];

/** A few names and addresses: more is some other file. */
const MAX_LENGTH = 256 * 1024;

type YamlMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is YamlMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function readText(parent: YamlMap, path: readonly string[], fault: Fault): string {
  const value = parent[path.at(-1) ?? ''];
  if (typeof value !== 'string' || value === '') {
    fault(path, value === undefined ? 'is missing' : 'must be text; write it in quotes');
    return '';
  }
  if (/[\p{Cc}\p{Cs}]/u.test(value)) fault(path, 'must not hold control characters');
  return value;
}

function readMap(parent: YamlMap, path: readonly string[], fault: Fault): [string, YamlMap][] {
  const value = parent[path.at(-1) ?? ''];
  if (!isMap(value)) {
    fault(path, value === undefined ? 'is missing' : 'must be a map');
    return [];
  }
  return Object.entries(value).flatMap(([key, member]): [string, YamlMap][] => {
    if (isMap(member)) return [[key, member]];
    fault([...path, key], 'must be a map');
    return [];
  });
}

function readUrl(parent: YamlMap, path: readonly string[], fault: Fault): string {
  const url = readText(parent, path, fault);
  const usable = URL.canParse(url) && /^https?:\/\//i.test(url);
  if (url !== '' && !usable) fault(path, 'must be an http:// or https:// URL');
  return url;
}

/** Sydent takes a number, too: `2.0` is what it looks like. */
function readVersion(document: YamlMap, path: readonly string[], places: Places): string {
  const { version } = document;
  if (typeof version === 'number') return places.source(path) ?? String(version);
  return readText(document, path, places.fault);
}

function readDocument(document: YamlMap, path: readonly string[], places: Places): TermsDocument {
  const { fault } = places;
  const languages = readMap(document, [...path, 'langs'], fault).map(([language, texts]) => {
    const place = [...path, 'langs', language];
    // It stands beside the languages on the wire.
    if (language === 'version') fault(place, 'cannot be the name of a language');
    const name = readText(texts, [...place, 'name'], fault);
    const url = readUrl(texts, [...place, 'url'], fault);
    return [language, { name, url }] as const;
  });
  if (languages.length === 0 && isMap(document['langs'])) {
    fault([...path, 'langs'], 'must have at least one language');
  }
  return {
    version: readVersion(document, [...path, 'version'], places),
    languages: Object.fromEntries(languages),
  };
}

/**
 * Reads the file that `terms.path` names; undefined when it names none.
 * @throws ConfigError that names every fault with its line.
 */
export async function loadTerms(file: string): Promise<TermsPolicy | undefined> {
  if (file === '') return undefined;
  // Loaded only here: most servers have no terms.
  const { LineCounter, parseDocument } = await import('yaml');
  const refuse = (problems: readonly string[], cause?: unknown) =>
    new ConfigError(file, problems, { cause });
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw refuse([`[general] terms.path: it cannot be read: ${reason}`], error);
  });
  if (text.length > MAX_LENGTH) throw refuse([`is longer than ${MAX_LENGTH} characters`]);
  const lines = new LineCounter();
  // As the YAML of Sydent's day had it, `<<` takes over the members of another map.
  const document = parseDocument(text, { lineCounter: lines, merge: true });
  if (document.errors.length > 0) {
    throw refuse(document.errors.map((error) => error.message.split('\n', 1)[0] ?? ''));
  }
  const problems: string[] = [];
  const lineOf = (path: readonly string[]): number => {
    for (let length = path.length; length > 0; length--) {
      const node: unknown = document.getIn(path.slice(0, length), true);
      const range = isMap(node) ? node['range'] : undefined;
      if (Array.isArray(range)) return lines.linePos(Number(range[0])).line;
    }
    return 1;
  };
  const fault: Fault = (path, what) => {
    problems.push(`line ${lineOf(path)}: ${path.join('.') || 'the file'} ${what}`);
  };
  const source = (path: readonly string[]): string | undefined => {
    const node: unknown = document.getIn(path, true);
    return isMap(node) && typeof node['source'] === 'string' ? node['source'] : undefined;
  };
  let root: unknown;
  try {
    root = document.toJS();
  } catch (error) {
    throw refuse([error instanceof Error ? error.message : String(error)], error);
  }
  if (!isMap(root)) throw refuse(['line 1: the file must be a map with master_version and docs']);
  const policy = {
    masterVersion: readText(root, ['master_version'], fault),
    documents: Object.fromEntries(
      readMap(root, ['docs'], fault).map(([name, map]) => [
        name,
        readDocument(map, ['docs', name], { fault, source }),
      ]),
    ),
  };
  if (problems.length > 0) throw refuse(problems);
  return policy;
}
