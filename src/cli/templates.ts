import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { readConfig } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { createPreviews, type Preview } from '../delivery/preview.ts';
import { LANGUAGES } from '../model/languages.ts';
import { systemClock } from '../platform/clock.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { Command, CommandLine } from './command.ts';
import { UsageError } from './usage-error.ts';

const HELP = `Shows what mails and pages look like, your own templates too: writes the HTML of each, with sample values, into a folder.
Open index.html there in a browser.

Usage: cognomen templates preview [--out FOLDER] [--brand BRAND] [--language LANGUAGE]

Options:
  --out FOLDER         Where to; template-previews where it is left out
  --brand BRAND        Whose templates; those of brand.default where it is left out
  --language LANGUAGE  ${LANGUAGES.join(', ')}; all where it is left out

Exit status: 0 written; 1 a template cannot be used, or the folder not be written; 2 not understood
`;

const INDEX = 'index.html';

const escaped = (text: string) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

const fileOf = ({ name, language }: Preview) => `${name}.${language}.html`;

function indexOf(all: readonly Preview[]): string {
  const names = [...new Set(all.map(({ name }) => name))];
  const rows = names.map((name) => {
    const links = all
      .filter((one) => one.name === name)
      .map((one) => `<a href="${fileOf(one)}">${one.language}</a>`);
    return `<li>${name}: ${links.join(' ')}`;
  });
  const brands = [...new Set(all.map(({ brand }) => brand))].join(', ');
  return `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Templates</title><h1>Templates of ${escaped(brands)}</h1><ul>${rows.join('\n')}</ul></html>\n`;
}

async function run({ config: files, args, own }: CommandLine): Promise<number> {
  const [action, ...rest] = args;
  if (action !== 'preview' || rest.length > 0) {
    throw new UsageError('templates: what is to be done? preview is what there is');
  }
  const asked = own['language']?.at(-1);
  const languages = LANGUAGES.filter((language) => asked === undefined || language === asked);
  if (languages.length === 0) {
    throw new UsageError(`--language must be one of ${LANGUAGES.join(', ')}`);
  }
  const folder = own['out']?.at(-1) ?? 'template-previews';
  const brand = own['brand']?.at(-1);
  const { config } = await readConfig(files, surroundings());
  const previews = createPreviews(config, {
    clock: systemClock,
    logger: pino({ level: 'silent' }),
  });
  const all: Preview[] = [];
  try {
    for (const language of languages) {
      for (const name of previews.names) {
        const one = await previews.of({ name, brand, language });
        if (one !== undefined) all.push(one);
      }
    }
    await mkdir(folder, { recursive: true });
    for (const one of all) await writeFile(path.join(folder, fileOf(one)), one.html);
    await writeFile(path.join(folder, INDEX), indexOf(all));
  } catch (error) {
    throw new OperatorError(error instanceof Error ? error.message : String(error));
  }
  process.stdout.write(`${all.length} previews: ${path.join(folder, INDEX)}\n`);
  return 0;
}

export const templates: Command = {
  name: 'templates',
  summary: 'Shows what mails and pages look like, your own templates too',
  options: ['out', 'brand', 'language'],
  help: HELP,
  takesArguments: true,
  run,
};
