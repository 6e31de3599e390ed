import type { Config } from '../config/config.ts';
import type { Language } from '../model/languages.ts';
import { brandsOf, type DeliveryDependencies } from './delivery.ts';
import { operatorValues } from './operator-values.ts';
import { escapeHtml } from './templates/escaping.ts';
import { SAMPLES } from './templates/samples.ts';
import { createCatalogues } from './templates/words.ts';

/** What a template makes of sample values. */
export interface Preview {
  /** What it is: `verification`, `proven` … */
  readonly name: string;
  /** Whose template it is: a file where one is for all brands. */
  readonly brand: string;
  readonly language: Language;
  readonly html: string;
  /** Of a mail, as far as the template gives them. */
  readonly subject: string | undefined;
  readonly text: string | undefined;
}

/** Which template, in which language; the default brand's where none is said. */
export interface PreviewAsked {
  readonly name: string;
  readonly brand: string | undefined;
  readonly language: Language;
}

/** Shows what mails and pages look like, made from the templates as they are on disk now. */
export interface Previews {
  readonly names: readonly string[];
  /** The brands that have templates. */
  brands(): Promise<string[]>;
  /** Undefined where there is none of that name. @throws Error a template that cannot be used */
  of(asked: PreviewAsked): Promise<Preview | undefined>;
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

const TYPES = { html: /^content-type: *text\/html/im, plain: /^content-type: *text\/plain/im };

/** The part of a message that is of that type, as it reads. */
function partOf(message: string, boundary: string, type: keyof typeof TYPES): string | undefined {
  const parts = message.split(`--${boundary}`).map((part) => part.replaceAll('\r\n', '\n').trim());
  const part = parts.find((one) => TYPES[type].test(one.split('\n\n', 1)[0] ?? ''));
  if (part === undefined) return undefined;
  const end = part.indexOf('\n\n');
  const body = part.slice(end + 2);
  return /^content-transfer-encoding: *quoted-printable/im.test(part.slice(0, end))
    ? decoded(body)
    : body;
}

/** A mail as a template makes it; where it has no HTML, the whole of it as it is. */
function mailOf(message: string, boundary: string): Pick<Preview, 'html' | 'subject' | 'text'> {
  const html = partOf(message, boundary, 'html');
  return {
    html: html ?? `<!DOCTYPE html><pre>${escapeHtml(message)}</pre>\n`,
    subject: /^subject: *([^\r\n]*)/im.exec(message.split(/\r?\n\r?\n/, 1)[0] ?? '')?.[1],
    text: partOf(message, boundary, 'plain'),
  };
}

export function createPreviews(
  config: Config,
  deps: Pick<DeliveryDependencies, 'clock' | 'logger'>,
): Previews {
  const templates = brandsOf(config, deps);
  const catalogues = createCatalogues();
  const operator = operatorValues(config);
  return {
    names: SAMPLES.map(({ name }) => name),
    brands: templates.names,
    async of({ name, brand, language }) {
      const sample = SAMPLES.find((one) => one.name === name);
      if (sample === undefined) return undefined;
      const { kind, values } = sample;
      const found = await templates.find(kind, brand);
      const made = found.render({ ...operator, ...values }, await catalogues.in(language));
      const isPage = kind === 'page' || kind === 'confirm';
      return {
        name,
        brand: found.brand,
        language,
        ...(isPage
          ? { html: made, subject: undefined, text: undefined }
          : mailOf(made, values['multipart_boundary'] ?? '')),
      };
    },
  };
}
