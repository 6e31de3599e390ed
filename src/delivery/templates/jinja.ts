import nunjucks from 'nunjucks';
import { escapeUrl } from './escaping.ts';
import type { Render } from './template.ts';

// Without a loader: a template can include no other file.
const environment = new nunjucks.Environment([], { autoescape: true });
environment.addFilter('urlencode', (value: unknown) => escapeUrl(String(value ?? '')));

/** A Jinja 2 template, HTML escaping on. */
export function compileJinja(text: string): Render {
  // Jinja takes one line end off the end of a template.
  const template = new nunjucks.Template(text.replace(/\r?\n$/, ''), environment, undefined, true);
  return (values) => template.render({ ...values });
}
