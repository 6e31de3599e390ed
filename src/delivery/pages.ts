import { createHash } from 'node:crypto';
import type { Brands } from './templates/brands.ts';
import { escapeHtml } from './templates/escaping.ts';

export interface RenderedPage {
  readonly html: string;
  readonly contentSecurityPolicy: string;
}

/** Allows the page's own style sheets and nothing else. */
function strictPolicy(html: string): string {
  const styles = [...html.matchAll(/<style>(.*?)<\/style>/gs)].map(
    ([, css = '']) => `'sha256-${createHash('sha256').update(css).digest('base64')}'`,
  );
  const source = styles.length > 0 ? styles.join(' ') : "'none'";
  return `default-src 'none'; style-src ${source}; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;
}

/**
 * The page that a mailed link opens.
 * @param operatorPolicy the Content-Security-Policy of pages made from operators' templates.
 */
export function resultPageRenderer(brands: Brands, operatorPolicy: string) {
  return async (page: { brand: string | undefined; message: string }): Promise<RenderedPage> => {
    const { render, builtIn } = await brands.find('page', page.brand);
    const html = render({ message: escapeHtml(page.message) });
    return { html, contentSecurityPolicy: builtIn ? strictPolicy(html) : operatorPolicy };
  };
}
