// Starting and packing go by what `npm run build` made: the program, and the console for browsers.
import { existsSync } from 'node:fs';

const isThere = (path) => existsSync(new URL(`../dist/${path}`, import.meta.url));

if (!isThere('main.js') || !isThere('console/files.json')) {
  process.stderr.write(
    'The program is not built, or not all of it: run `npm ci && npm run build` first.\n',
  );
  process.exitCode = 1;
}
