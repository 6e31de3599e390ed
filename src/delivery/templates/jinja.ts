import { createRequire } from 'node:module';
import * as quotedPrintable from 'nodemailer/lib/qp';
import type nunjucks from 'nunjucks';
import { escapeUrl } from './escaping.ts';
import type { Render } from './template.ts';

let loaded: ReturnType<typeof load> | undefined;

/** With the first template, and not before: a start answers sooner than it needs one. */
function load() {
  const { Environment, Template, runtime } = createRequire(import.meta.url)(
    'nunjucks',
  ) as typeof nunjucks;
  // Without a loader: a template can include no other file.
  const environment = new Environment([], { autoescape: true });
  environment.addFilter('urlencode', (value: unknown) => escapeUrl(String(value ?? '')));
  // Keeps lines short, whatever stands in them: relays break those over 998 octets.
  environment.addFilter('quoted_printable', (value: unknown) => {
    const lines = String(value ?? '').replace(/\r\n|\r|\n/g, '\r\n');
    return new runtime.SafeString(quotedPrintable.wrap(quotedPrintable.encode(lines)));
  });
  return { Template, environment };
}

/** A Jinja 2 template, HTML escaping on; `quoted_printable` is a filter of our own. */
export function compileJinja(text: string): Render {
  loaded ??= load();
  const { Template, environment } = loaded;
  // Jinja takes one line end off the end of a template.
  const template = new Template(text.replace(/\r?\n$/, ''), environment, undefined, true);
  return (values) => template.render({ ...values });
}
