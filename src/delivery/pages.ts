import { createHash } from 'node:crypto';
import type { Language } from '../model/languages.ts';
import type { ResultPage } from '../model/result-page.ts';
import type { Logo } from './logo.ts';
import type { Brands } from './templates/brands.ts';
import { escapeHtml } from './templates/escaping.ts';
import type { TemplateValues } from './templates/template.ts';
import type { Catalogues, Words } from './templates/words.ts';

export interface RenderedPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

export interface PagesDependencies {
  readonly brands: Brands;
  readonly catalogues: Catalogues;
  readonly defaultLanguage: Language;
  /** Undefined: there is none. */
  readonly logo: Logo | undefined;
  /** Who runs the server. */
  readonly operator: TemplateValues;
  /** The Content-Security-Policy of pages made from operators' templates. */
  readonly operatorPolicy: string;
}

/**
 * Allows the page's own style sheets and the logo, and nothing else, but for the form of a page that has one.
 * @param forms where they may lead; undefined: anywhere
 */
export function strictPolicy(html: string, forms: string | undefined, hasLogo: boolean): string {
  const styles = [...html.matchAll(/<style>(.*?)<\/style>/gs)].map(
    ([, css = '']) => `'sha256-${createHash('sha256').update(css).digest('base64')}'`,
  );
  const source = styles.length > 0 ? styles.join(' ') : "'none'";
  const images = hasLogo ? " img-src 'self';" : '';
  const actions = forms === undefined ? '' : `; form-action ${forms}`;
  return `default-src 'none'; style-src ${source};${images} frame-ancestors 'none'; base-uri 'none'${actions}`;
}

/** The page in a sentence or two, for templates that know no more than Sydent's. */
function messageOf(
  { outcome, failure = 'unknown', medium }: ResultPage,
  words: Words,
  server: string | undefined,
): string {
  const said = { medium, app: 'Matrix', server };
  switch (outcome) {
    case 'ask':
      return `${words.t('ask.who', said)} ${words.t('ask.effect', said)}`;
    case 'proven':
      return `${words.t('proven.title', said)}. ${words.t('proven.next', said)}`;
    case 'expired':
      return `${words.t('expired.title', said)}. ${words.t('expired.next', said)}`;
    case 'refuse':
      return `${words.t('refuse.title', said)} ${words.t('refuse.effect', said)}`;
    case 'refused':
      return `${words.t('refused.effect', said)} ${words.t('refused.next', said)}`;
    case 'failed':
      return `${words.t(`failed.${failure}`, said)} ${words.t(`failed.${failure}_next`, said)}`;
  }
}

/** Makes the pages that links open. */
export function pageRenderer(deps: PagesDependencies) {
  const { brands, catalogues, defaultLanguage, logo, operator, operatorPolicy } = deps;
  return async (page: ResultPage): Promise<RenderedPage> => {
    const { brand, outcome, medium, failure = 'unknown', shownAddress = '', action = '' } = page;
    const asks = outcome === 'ask' || outcome === 'refuse';
    const [words, { render, builtIn, syntax }, hasLogo] = await Promise.all([
      catalogues.in(page.language ?? defaultLanguage),
      brands.find(asks ? 'confirm' : 'page', brand),
      logo?.read().then(
        () => true,
        () => false,
      ) ?? false,
    ]);
    // Sydent's form escapes nothing by itself.
    const text = (value: string) => (syntax === 'percent' ? escapeHtml(value) : value);
    const values = {
      ...operator,
      outcome,
      medium,
      reason: failure,
      shown_address: shownAddress,
      logo: hasLogo ? `${page.root}logo` : '',
      message: messageOf(page, words, operator['server_name']),
      ...(asks ? { action } : {}),
    };
    const html = render(
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, text(value)])),
      words,
    );
    // A form may lead on to any link that was given with the request, which browsers hold against this as well.
    const forms = asks ? undefined : "'none'";
    const policy = builtIn ? strictPolicy(html, forms, hasLogo) : operatorPolicy;
    return { html, contentSecurityPolicy: policy };
  };
}
