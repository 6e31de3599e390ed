import * as quotedPrintable from 'nodemailer/lib/qp';
import nunjucks from 'nunjucks';
import { escapeUrl } from './escaping.ts';
import type { Render } from './template.ts';

// Without a loader: a template can include no other file.
const environment = new nunjucks.Environment([], { autoescape: true });
environment.addFilter('urlencode', (value: unknown) => escapeUrl(String(value ?? '')));
// Keeps lines short, whatever stands in them: relays break those over 998 octets.
environment.addFilter('quoted_printable', (value: unknown) => {
  const lines = String(value ?? '').replace(/\r\n|\r|\n/g, '\r\n');
  return new nunjucks.runtime.SafeString(quotedPrintable.wrap(quotedPrintable.encode(lines)));
});

/** A Jinja 2 template, HTML escaping on; `quoted_printable` is a filter of our own. */
export function compileJinja(text: string): Render {
  // Jinja takes one line end off the end of a template.
  const template = new nunjucks.Template(text.replace(/\r?\n$/, ''), environment, undefined, true);
  return (values) => template.render({ ...values });
}
