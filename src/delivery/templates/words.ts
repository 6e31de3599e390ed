import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { IntlMessageFormat, PrimitiveType } from 'intl-messageformat';
import { directionOf, type Language } from '../../model/languages.ts';
import { PACKAGE_FOLDER } from '../../platform/package-folder.ts';
import { createSingleFlight } from '../../platform/single-flight.ts';
import { escapeHtml } from './escaping.ts';

/** What stands in a text's places. A number can be counted in plurals; what is not given is empty. */
export type TextValues = Readonly<Record<string, unknown>>;

/** The texts of one language. */
export interface Words {
  readonly lang: Language;
  readonly dir: 'ltr' | 'rtl';
  /** The text of that key, to be read as it is. @throws Error where there is none, or a value is missing */
  t(key: string, values?: TextValues): string;
  /** The same as HTML: values are escaped, and kept apart from the direction of what is around them. */
  rich(key: string, values?: TextValues): string;
}

export interface Catalogues {
  /** The words of a language, read when they are first asked for. */
  in(language: Language): Promise<Words>;
}

/** A value, which can be told from the text around it. */
class Value {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
  /** How a text chooses by it. */
  toString() {
    return this.text;
  }
}

class Bold {
  readonly parts: readonly unknown[];
  constructor(parts: readonly unknown[]) {
    this.parts = parts;
  }
}

/** How a text is put together. */
interface Form {
  literal(text: string): string;
  value(text: string): string;
  bold(inner: string): string;
}

const HTML: Form = {
  literal: escapeHtml,
  value: (text) => `<bdi>${escapeHtml(text)}</bdi>`,
  bold: (inner) => `<strong>${inner}</strong>`,
};

const asIs = (text: string) => text;

const PLAIN: Record<'ltr' | 'rtl', Form> = {
  ltr: { literal: asIs, value: asIs, bold: asIs },
  // An address or a name in Latin letters would else pull the punctuation beside it to the wrong side.
  rtl: { literal: asIs, value: (text) => (text ? `\u2068${text}\u2069` : ''), bold: asIs },
};

const joined = (form: Form, parts: readonly unknown[]): string =>
  parts
    .map((part) => {
      if (part instanceof Value) return form.value(part.text);
      if (part instanceof Bold) return form.bold(joined(form, part.parts));
      return form.literal(String(part));
    })
    .join('');

/** Numbers are small and whole: what the library makes of them by itself would load 6 MiB more. */
const FORMATTERS = {
  getNumberFormat: () => ({ format: String }) as unknown as Intl.NumberFormat,
  getPluralRules: (...given: ConstructorParameters<typeof Intl.PluralRules>) =>
    new Intl.PluralRules(...given),
  getDateTimeFormat: (...given: ConstructorParameters<typeof Intl.DateTimeFormat>) =>
    new Intl.DateTimeFormat(...given),
};

const bold = (parts: readonly unknown[]) => new Bold(parts);

function given(values: TextValues): Record<string, PrimitiveType> {
  const entries = Object.entries(values).map(
    ([name, value]) =>
      [name, typeof value === 'number' ? value : new Value(String(value ?? ''))] as const,
  );
  return Object.fromEntries(entries) as unknown as Record<string, PrimitiveType>;
}

function wordsOf(
  lang: Language,
  texts: ReadonlyMap<string, string>,
  Format: typeof IntlMessageFormat,
): Words {
  const dir = directionOf(lang);
  /** By key: no more than there are texts. */
  const formats = new Map<string, IntlMessageFormat>();

  function format(form: Form, key: string, values: TextValues): string {
    const text = texts.get(key);
    if (text === undefined) throw new Error(`there is no text ${JSON.stringify(key)}`);
    const known = formats.get(key) ?? new Format(text, lang, undefined, { formatters: FORMATTERS });
    formats.set(key, known);
    const made: unknown = known.format<unknown>({ ...given(values), b: bold });
    return joined(form, Array.isArray(made) ? made : [made]);
  }

  return {
    lang,
    dir,
    t: (key, values = {}) => format(PLAIN[dir], key, values),
    rich: (key, values = {}) => format(HTML, key, values),
  };
}

/** The catalogues in `web/messages`. A start answers sooner than it needs one: each is read with its first text. */
export function createCatalogues(): Catalogues {
  const loaded = new Map<Language, Words>();
  const loading = createSingleFlight<Words>();

  async function load(language: Language): Promise<Words> {
    const file = path.join(PACKAGE_FOLDER, 'web/messages', `${language}.json`);
    const [text, { IntlMessageFormat: Format }] = await Promise.all([
      readFile(file, 'utf8'),
      import('intl-messageformat'),
    ]);
    const texts = new Map(Object.entries(JSON.parse(text) as Record<string, string>));
    const words = wordsOf(language, texts, Format);
    loaded.set(language, words);
    return words;
  }

  return {
    in: async (language) => loaded.get(language) ?? loading(language, () => load(language)),
  };
}
