import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { IntlMessageFormat } from 'intl-messageformat';
import { describe, expect, test } from 'vitest';
import { createCatalogues } from '../../src/delivery/templates/words.ts';
import { LANGUAGES, preferredLanguage } from '../../src/model/languages.ts';

const WEB = path.join(import.meta.dirname, '../../web');
const catalogue = (language: string): Record<string, string> =>
  JSON.parse(readFileSync(path.join(WEB, 'messages', `${language}.json`), 'utf8'));

const ENGLISH = catalogue('en');
/** What pages give beside what English has a use for: other languages have genders. */
const ALSO_GIVEN = /^(ask|proven|expired|failed)\./;

/** A text, taken apart, as far as it is looked at here. */
interface Element {
  readonly type: number;
  readonly value: string;
  readonly options?: Readonly<Record<string, { readonly value: readonly Element[] }>>;
  readonly children?: readonly Element[];
  readonly pluralType?: Intl.PluralRuleType;
}
const [LITERAL, PLURAL, POUND, TAG] = [0, 6, 7, 8];

const elements = (language: string, text: string): Element[] => {
  const flat = (list: readonly Element[]): Element[] =>
    list.flatMap((element) => [
      element,
      ...flat(element.children ?? []),
      ...Object.values(element.options ?? {}).flatMap(({ value }) => flat(value)),
    ]);
  return flat(new IntlMessageFormat(text, language).getAst() as unknown as Element[]);
};
const namesIn = (language: string, text: string) =>
  new Set(
    elements(language, text)
      .filter(({ type }) => type !== LITERAL && type !== POUND)
      .map(({ type, value }) => (type === TAG ? `<${value}>` : value)),
  );

test('there is a catalogue for each language, and no other', async () => {
  const files = await readdir(path.join(WEB, 'messages'));
  expect(files.sort()).toEqual(LANGUAGES.map((language) => `${language}.json`).sort());
});

describe.each(LANGUAGES)('the catalogue of %s', (language) => {
  const texts = catalogue(language);

  test('lacks no text, has none too many, and each has the places of the English one', () => {
    expect(Object.keys(texts)).toEqual(Object.keys(ENGLISH));
    for (const [key, text] of Object.entries(texts)) {
      const wanted = namesIn('en', ENGLISH[key] ?? '');
      const names = namesIn(language, text);
      if (ALSO_GIVEN.test(key)) for (const more of ['medium', 'app']) wanted.add(more);
      for (const name of names) expect([key, ...wanted]).toContain(name);
      if (ALSO_GIVEN.test(key)) continue;
      expect([key, ...[...names].sort()]).toEqual([key, ...[...wanted].sort()]);
    }
  });

  test('counts by all the rules of the language', () => {
    for (const [key, text] of Object.entries(texts)) {
      for (const { type, options = {}, pluralType } of elements(language, text)) {
        if (type !== PLURAL) continue;
        const rules = new Intl.PluralRules(language, { type: pluralType ?? 'cardinal' });
        const { pluralCategories } = rules.resolvedOptions();
        expect([key, ...Object.keys(options).sort()]).toEqual([key, ...pluralCategories.sort()]);
      }
    }
  });

  test('says something of its own, without blanks at its ends', () => {
    for (const [key, text] of Object.entries(texts)) {
      expect(text).toBe(text.trim().normalize('NFC'));
      // What happens to be the same word there is short.
      if (language !== 'en' && text === ENGLISH[key]) expect(text.length).toBeLessThan(12);
    }
  });
});

describe('words', () => {
  const catalogues = createCatalogues();

  test('escape what is put into them, and keep its direction apart', async () => {
    const { rich, t } = await catalogues.in('en');
    const said = { who: '<i>&', kind: 'room', named: 'yes', room: '{app}', app: "<'>" };
    expect(t('invite.what', said)).toBe("<i>& has invited you to the room {app} on <'>.");
    expect(rich('invite.what', said)).toBe(
      '<strong><bdi>&lt;i&gt;&amp;</bdi></strong> has invited you to the room <strong><bdi>{app}</bdi></strong> on <bdi>&lt;&#39;&gt;</bdi>.',
    );
    const arabic = await catalogues.in('ar');
    expect(arabic.dir).toBe('rtl');
    expect(arabic.t('footer.operator', { operator: 'A (B)' })).toContain('\u2068A (B)\u2069');
  });

  test('are counted as the language does', async () => {
    const hours = async (language: 'pl' | 'ar' | 'de', number: number) =>
      (await catalogues.in(language)).t('verification.lifetime', { hours: String(number) });
    expect(await hours('pl', 1)).toContain('1 godzinę');
    expect(await hours('pl', 24)).toContain('24 godziny');
    expect(await hours('pl', 25)).toContain('25 godzin');
    expect(await hours('de', 1)).toContain('1 Stunde lang');
    expect(await hours('ar', 24)).toContain('24 ساعة');
  });

  test('that are not there are a fault', async () => {
    const { t } = await catalogues.in('en');
    expect(() => t('no.such')).toThrow('there is no text "no.such"');
    expect(() => t('footer.operator')).toThrow('operator');
  });
});

test.each([
  [undefined, undefined],
  ['', undefined],
  ['de', 'de'],
  ['de-AT', 'de'],
  ['DE_x, *', undefined],
  ['zh-CN, zh;q=0.9, pl;q=0.5, en;q=0.6', 'en'],
  ['fr;q=0.2,es;q=0.7,it;q=0.7', 'es'],
  ['en;q=0, nl;q=0.001', 'nl'],
  ['pt-BR,pt;q=0.9,en-US;q=0.8', 'pt'],
  ['ar;q=2, uk;q=x, it ; q=0.4', 'it'],
  [`${'xx,'.repeat(1000)}de`, undefined],
  ['*', undefined],
])('of %j the language is %s', (header, language) => {
  expect(preferredLanguage(header)).toBe(language);
});

test('the colours of the tokens can be read: 4.5 to 1 and more', async () => {
  const tokens = JSON.parse(await readFile(path.join(WEB, 'tokens.json'), 'utf8'));
  const luminance = (color: string) =>
    [1, 3, 5]
      .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
      .reduce((sum, part, index) => sum + part * ([0.2126, 0.7152, 0.0722][index] ?? 0), 0);
  const contrast = (a: string, b: string) => {
    const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  for (const mode of ['light', 'dark']) {
    const { ground, card, well, ink, quiet } = tokens[mode];
    const pairs = [ground, card].flatMap((back) => [
      [ink, back],
      [quiet, back],
    ]);
    pairs.push([ink, well]);
    for (const { [mode]: look } of Object.values<Record<string, Record<string, string>>>(
      tokens.outcomes,
    )) {
      pairs.push([look?.['ink'], look?.['tint']], [look?.['ink'], card]);
    }
    for (const { [mode]: brand } of Object.values<Record<string, Record<string, string>>>(
      tokens.brands,
    )) {
      pairs.push([brand?.['on_accent'], brand?.['accent']]);
    }
    for (const [front, back] of pairs) expect(contrast(front, back)).toBeGreaterThanOrEqual(4.5);
  }
});
