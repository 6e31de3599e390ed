import { aList, anObject, aString, aWordOf, type Described } from '../model/json-schema.ts';
import { LANGUAGES } from '../model/languages.ts';
import { InputError, type Operation, StateError } from './operation.ts';

const aLanguage = aWordOf(...LANGUAGES);

const TEMPLATES = anObject({
  templates: aList(aString),
  brands: aList(aString),
  default_brand: aString,
  languages: aList(aLanguage),
  default_language: aLanguage,
});

/** Which templates can be looked at, of which brands and in which languages. */
export const listTemplates: Operation<Described<typeof TEMPLATES>> = {
  resource: 'messages',
  action: 'templates',
  kind: 'overview',
  summary: 'Which mails and pages there are, of which brands, in which languages',
  result: TEMPLATES,
  run: async (_input, { config, previews }) => ({
    templates: previews.names,
    brands: await previews.brands(),
    default_brand: config.general.defaultBrand,
    languages: LANGUAGES,
    default_language: config.email.defaultLanguage,
  }),
  text: ({ templates, brands, languages }) =>
    [
      `mails and pages  ${templates.join(', ')}`,
      `brands  ${brands.join(', ')}`,
      `languages  ${languages.join(', ')}`,
    ].join('\n'),
};

const PREVIEW = anObject(
  { name: aString, brand: aString, language: aLanguage, html: aString },
  { subject: aString, text: aString },
);

/** What one of them looks like, with sample values. */
export const previewMessage: Operation<Described<typeof PREVIEW> | undefined> = {
  resource: 'messages',
  action: 'preview',
  kind: 'overview',
  summary:
    'What a mail or page looks like with sample values, as HTML; "templates preview" writes all of them into a folder',
  needsState: true,
  argument: { name: 'TEMPLATE', about: 'As "messages templates" names it', required: true },
  options: {
    brand: { name: 'BRAND', about: 'Whose; that of brand.default where it is left out' },
    language: {
      name: 'LANGUAGE',
      about: `${LANGUAGES.join(', ')}; email.default_language where it is left out`,
    },
  },
  result: PREVIEW,
  async run({ argument: name = '', options }, { config, previews }) {
    const { brand, language: asked = config.email.defaultLanguage } = options;
    const language = LANGUAGES.find((one) => one === asked);
    if (language === undefined) {
      throw new InputError(`language must be one of ${LANGUAGES.join(', ')}`, 'language');
    }
    try {
      const made = await previews.of({ name, brand, language });
      return made && { ...made, name, language };
    } catch (error) {
      throw new StateError(error instanceof Error ? error.message : String(error));
    }
  },
  text: (preview) => preview?.html ?? 'There is no template of that name',
  found: (preview) => preview !== undefined,
};
