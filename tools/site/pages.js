import { cp, rm } from 'node:fs/promises';

// What the site is made of, copied into its folder: from outside it Vite does not find the packages.
const project = new URL('../../', import.meta.url);
const pages = new URL('pages/', import.meta.url);

await rm(pages, { recursive: true, force: true });
for (const name of [
  ...['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md'],
  ...['docs', 'bench/results/latest.svg'],
]) {
  await cp(new URL(name, project), new URL(name, pages), { recursive: true });
}
