// Starting and packing go by what `npm run build` made.
import { existsSync } from 'node:fs';

if (!existsSync(new URL('../dist/main.js', import.meta.url))) {
  process.stderr.write('There is no dist/main.js: run `npm ci && npm run build` first.\n');
  process.exitCode = 1;
}
