import { escapeHtml, escapeUrl } from './escaping.ts';
import type { Render, TemplateValues } from './template.ts';

const VARIANTS: readonly [suffix: string, escaped: (text: string) => string][] = [
  ['_forhtml', escapeHtml],
  ['_forurl', escapeUrl],
];

function lookUp(values: TemplateValues, name: string): string {
  if (Object.hasOwn(values, name)) return values[name] ?? '';
  for (const [suffix, escaped] of VARIANTS) {
    if (!name.endsWith(suffix)) continue;
    const base = name.slice(0, -suffix.length);
    if (Object.hasOwn(values, base)) return escaped(values[base] ?? '');
  }
  return '';
}

/** A template in Python's %-format: `%(name)s`, `%(name_forhtml)s`, `%(name_forurl)s` and `%%`. */
export function compilePercent(text: string): Render {
  const parts = text.split(/(%(?:%|\([^%)]*\)s)?)/);
  let line = 1;
  for (const [index, part] of parts.entries()) {
    if (part === '%') {
      const [rest = ''] = (parts[index + 1] ?? '').split('\n');
      const shown = JSON.stringify(`%${rest.slice(0, 20)}`);
      throw new Error(`line ${line}, ${shown}: a % must be written %%, or stand in %(name)s`);
    }
    line += part.split('\n').length - 1;
  }
  return (given, { lang, dir }) => {
    const values = { lang, dir, ...given };
    return parts
      .map((part) => {
        if (part === '%%') return '%';
        const name = /^%\(([^%)]*)\)s$/.exec(part)?.[1];
        return name === undefined ? part : lookUp(values, name);
      })
      .join('');
  };
}
