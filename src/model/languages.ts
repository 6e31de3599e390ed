/** The languages that mails and pages are written in. */
export const LANGUAGES = ['en', 'de', 'fr', 'es', 'it', 'nl', 'pl', 'pt', 'uk', 'ar'] as const;
export type Language = (typeof LANGUAGES)[number];

/** Which way a language is written: `dir` of HTML. */
export const directionOf = (language: Language): 'ltr' | 'rtl' =>
  language === 'ar' ? 'rtl' : 'ltr';

/** More than any browser sends; what comes after that is not looked at. */
const MAX_LENGTH = 500;

const languageNamed = (tag: string): Language | undefined => {
  const primary = tag.split('-', 1)[0]?.toLowerCase();
  return LANGUAGES.find((language) => language === primary);
};

/** The weight of `;q=0.5`, as RFC 9110 writes it; without one it is 1, and 0 where it cannot be read. */
function weightOf(parameter: string | undefined): number {
  if (parameter === undefined) return 1;
  return Number(/^q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)$/i.exec(parameter.trim())?.[1] ?? 0);
}

/**
 * The language that an `Accept-Language` header likes best of those there are, the first among equals; undefined
 * where it names none of them.
 */
export function preferredLanguage(header: string | undefined): Language | undefined {
  let best: Language | undefined;
  let bestWeight = 0;
  for (const range of header?.slice(0, MAX_LENGTH).split(',') ?? []) {
    const [tag = '', parameter] = range.split(';', 2);
    const weight = weightOf(parameter);
    if (weight <= bestWeight) continue;
    const language = languageNamed(tag.trim());
    if (language === undefined) continue;
    [best, bestWeight] = [language, weight];
  }
  return best;
}
