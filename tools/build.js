// Makes dist/ of src/: the program in one file, with Kysely inside. Of its own, each of the two is some 300 files, and
// to find and load those took half of the time of a start. Other packages are left to npm.
import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

rmSync(at('dist'), { recursive: true, force: true });
await build({
  input: at('src/main.ts'),
  platform: 'node',
  external: /^(?!kysely(\/|$))[^./]/,
  checks: { ineffectiveDynamicImport: false },
  logLevel: 'warn',
  output: {
    dir: at('dist'),
    sourcemap: true,
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
  },
});
chmodSync(at('dist/main.js'), 0o755);
copyFileSync(at('node_modules/kysely/LICENSE'), at('dist/LICENSE-kysely'));
