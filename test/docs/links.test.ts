import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Every page, by its path from the project's folder. */
let pages: Map<string, string>;

beforeAll(async () => {
  const top = (await readdir(ROOT)).filter((name) => name.endsWith('.md'));
  const docs = await readdir(path.join(ROOT, 'docs'), { recursive: true });
  const names = [
    ...top,
    ...docs.filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`),
  ];
  const read = async (name: string) =>
    [name, await readFile(path.join(ROOT, name), 'utf8')] as const;
  pages = new Map(await Promise.all(names.map(read)));
});

const withoutCode = (text: string) =>
  text.replaceAll(/^```[\s\S]*?^```/gm, '').replaceAll(/`[^`\n]*`/g, '');

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(text: string): Set<string> {
  const headings = text.replaceAll(/^```[\s\S]*?^```/gm, '').matchAll(/^#+ (.+)$/gm);
  return new Set(
    [...headings].map(([, heading = '']) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

describe('the documentation', () => {
  test('links to what is there', async () => {
    const broken: string[] = [];
    const files = new Set(await readdir(ROOT, { recursive: false }));
    expect(files.has('docs')).toBe(true);
    for (const [page, text] of pages) {
      for (const [, link = ''] of withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^(?:https?|mailto):/.test(link)) continue;
        const [file = '', anchor] = link.split('#');
        const target = file === '' ? page : path.join(path.dirname(page), file);
        const there =
          pages.get(target) ??
          (await readFile(path.join(ROOT, target)).then(
            () => '',
            () => undefined,
          ));
        const isFolder =
          there === undefined && (await readdir(path.join(ROOT, target)).catch(() => undefined));
        if (there === undefined && !isFolder) broken.push(`${page}: ${link}`);
        else if (anchor && pages.has(target) && !anchorsOf(there ?? '').has(anchor)) {
          broken.push(`${page}: ${link} (no such heading)`);
        }
      }
    }
    expect(broken).toEqual([]);
  });

  test('is all in the table of contents of the site', async () => {
    const config = await readFile(path.join(ROOT, 'tools/site/.vitepress/config.js'), 'utf8');
    const listed = [...config.matchAll(/page\('[^']+', '([^']+)'\)/g)].map(([, name]) => name);
    const there = [...pages.keys()].flatMap((name) => /^docs\/([^/]+)\.md$/.exec(name)?.[1] ?? []);
    expect([...new Set(listed)].sort()).toEqual(there.sort());
  });

  test('names no command and no option that there is not', () => {
    const wrong: string[] = [];
    for (const [page, text] of pages) {
      if (page === 'docs/command-line.md') continue;
      const code = [...text.matchAll(/`{1,3}([^`]+)`{1,3}/g)]
        .map(([, inside = '']) => inside)
        .join('\n');
      for (const [line, name = '', rest = ''] of code.matchAll(
        /^\s*(?:\$ )?cognomen ([a-z][a-z-]*)((?:[ \t][^\s|;&`]+)*)/gm,
      )) {
        const command = COMMANDS.find((one) => one.name === name);
        if (command === undefined) {
          wrong.push(`${page}: ${line}`);
          continue;
        }
        const known = new Set([
          'config',
          'help',
          ...(command.options ?? []),
          ...(command.flags ?? []),
        ]);
        for (const [, option = ''] of rest.matchAll(/ --([a-z-]+)/g)) {
          if (!known.has(option)) wrong.push(`${page}: ${line}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
