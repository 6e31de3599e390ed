import type { Config } from '../config/config.ts';
import type { Language } from '../model/languages.ts';
import { brandsOf, type DeliveryDependencies } from './delivery.ts';
import { operatorValues } from './operator-values.ts';
import { escapeHtml } from './templates/escaping.ts';
import { SAMPLES, type Sample } from './templates/samples.ts';
import { createCatalogues } from './templates/words.ts';

/** What a template makes of sample values. */
export interface Preview {
  /** What it is: `verification`, `proven` … */
  readonly name: string;
  /** Whose template it is: a file where one is for all brands. */
  readonly brand: string;
  readonly language: Language;
  readonly html: string;
}

/** The octets of quoted-printable text, as UTF-8. */
function decoded(text: string): string {
  const octets = text
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9A-F]{2})/gi, (_whole, code: string) =>
      String.fromCharCode(Number.parseInt(code, 16)),
    );
  return Buffer.from(octets, 'latin1').toString('utf8');
}

/** The HTML of a message as a template makes it; its text where there is none. */
function htmlOf(message: string, boundary: string): string {
  const parts = message.split(`--${boundary}`).map((part) => part.replaceAll('\r\n', '\n').trim());
  const html = parts.find((part) =>
    /^content-type: *text\/html/im.test(part.split('\n\n', 1)[0] ?? ''),
  );
  if (html === undefined) return `<!DOCTYPE html><pre>${escapeHtml(message)}</pre>\n`;
  const end = html.indexOf('\n\n');
  const body = html.slice(end + 2);
  return /^content-transfer-encoding: *quoted-printable/im.test(html.slice(0, end))
    ? decoded(body)
    : body;
}

/**
 * Makes every template of a brand, with sample values.
 * @throws Error a template that cannot be used
 */
export async function previews(
  config: Config,
  deps: Pick<DeliveryDependencies, 'clock' | 'logger'>,
  { brand, language }: { readonly brand: string | undefined; readonly language: Language },
): Promise<Preview[]> {
  const brands = brandsOf(config, deps);
  const words = await createCatalogues().in(language);
  const operator = operatorValues(config);
  return Promise.all(
    SAMPLES.map(async ({ name, kind, values }: Sample) => {
      const found = await brands.find(kind, brand);
      const made = found.render({ ...operator, ...values }, words);
      const isPage = kind === 'page' || kind === 'confirm';
      const html = isPage ? made : htmlOf(made, values['multipart_boundary'] ?? '');
      return { name, brand: found.brand, language, html };
    }),
  );
}
