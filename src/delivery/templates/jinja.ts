import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import * as quotedPrintable from 'nodemailer/lib/qp';
import type nunjucks from 'nunjucks';
import { PACKAGE_FOLDER } from '../../platform/package-folder.ts';
import { encodeHeaderText } from '../mail/header-text.ts';
import { escapeUrl } from './escaping.ts';
import type { Render } from './template.ts';
import type { Words } from './words.ts';

/** A compiled template whose values need not be texts. */
export type RenderWith = (values: Readonly<Record<string, unknown>>, words: Words) => string;

const WEB = path.join(PACKAGE_FOLDER, 'web');

let loaded: ReturnType<typeof load> | undefined;

/** With the first template, and not before: a start answers sooner than it needs one. */
function load() {
  const { Environment, Loader, Template, runtime } = createRequire(import.meta.url)(
    'nunjucks',
  ) as typeof nunjucks;
  /** What templates may include: the parts in `web/templates`, and no other file. */
  const parts = Object.assign(new Loader(), {
    getSource(name: string) {
      if (!/^[a-z]+(?:\.[a-z]+)*\.j2$/.test(name)) throw new Error(`template not found: ${name}`);
      const src = readFileSync(path.join(WEB, 'templates', name), 'utf8');
      return { src, path: name, noCache: false };
    },
  });
  const environment = new Environment(parts, { autoescape: true });
  environment.addFilter('urlencode', (value: unknown) => escapeUrl(String(value ?? '')));
  environment.addFilter(
    'header',
    (value: unknown) => new runtime.SafeString(encodeHeaderText(String(value ?? ''))),
  );
  // Keeps lines short, whatever stands in them: relays break those over 998 octets.
  environment.addFilter('quoted_printable', (value: unknown) => {
    const lines = String(value ?? '').replace(/\r\n|\r|\n/g, '\r\n');
    return new runtime.SafeString(quotedPrintable.wrap(quotedPrintable.encode(lines)));
  });
  const tokens: unknown = JSON.parse(readFileSync(path.join(WEB, 'tokens.json'), 'utf8'));
  return { Template, environment, tokens, SafeString: runtime.SafeString };
}

/**
 * A Jinja 2 template, HTML escaping on. Beside its values it has the words of its language (`lang`, `dir`, `t`,
 * `rich`) and the `tokens` of the design; `quoted_printable` and `header` are filters of our own.
 */
export const compileJinja = (text: string): Render => renderJinja(text);

/** The same of a template that is given more than texts. */
export function renderJinja(text: string): RenderWith {
  loaded ??= load();
  const { Template, environment, tokens, SafeString } = loaded;
  // Jinja takes one line end off the end of a template.
  const template = new Template(text.replace(/\r?\n$/, ''), environment, undefined, true);
  return (values, { lang, dir, t, rich }) =>
    template.render({
      lang,
      dir,
      tokens,
      t,
      rich: (...given: Parameters<typeof rich>) => new SafeString(rich(...given)),
      ...values,
    });
}
