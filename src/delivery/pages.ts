import { createHash } from 'node:crypto';
import type { Brands } from './templates/brands.ts';
import { escapeHtml } from './templates/escaping.ts';

export interface RenderedPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

/** Allows the page's own style sheets and nothing else, but for the form of a page that has one. */
function strictPolicy(html: string, hasForm: boolean): string {
  const styles = [...html.matchAll(/<style>(.*?)<\/style>/gs)].map(
    ([, css = '']) => `'sha256-${createHash('sha256').update(css).digest('base64')}'`,
  );
  const source = styles.length > 0 ? styles.join(' ') : "'none'";
  // A form may lead on to any link that was given with the request, which browsers hold against this as well.
  const forms = hasForm ? '' : "; form-action 'none'";
  return `default-src 'none'; style-src ${source}; frame-ancestors 'none'; base-uri 'none'${forms}`;
}

/** What a mailed link opens. */
export interface Page {
  readonly brand: string | undefined;
  readonly message: string;
  /** The page asks for a click, which sends a form there. */
  readonly action?: string;
}

/** @param operatorPolicy the Content-Security-Policy of pages made from operators' templates. */
export function pageRenderer(brands: Brands, operatorPolicy: string) {
  return async ({ brand, message, action }: Page): Promise<RenderedPage> => {
    const hasForm = action !== undefined;
    const { render, builtIn } = await brands.find(hasForm ? 'confirm' : 'page', brand);
    const html = render({
      message: escapeHtml(message),
      ...(hasForm ? { action: escapeHtml(action) } : {}),
    });
    return { html, contentSecurityPolicy: builtIn ? strictPolicy(html, hasForm) : operatorPolicy };
  };
}
