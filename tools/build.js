// Makes dist/ of src/: the program in a few files, with Kysely inside. By themselves the two are some 600, and to find
// and load those took half of the time of a start. Other packages are left to npm.
import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

rmSync(at('dist'), { recursive: true, force: true });
await build({
  // Threads begin in files of their own.
  input: [at('src/main.ts'), at('src/app/rehash-thread.ts')],
  platform: 'node',
  external: /^(?!kysely(\/|$))[^./]/,
  checks: { ineffectiveDynamicImport: false },
  logLevel: 'warn',
  output: {
    dir: at('dist'),
    sourcemap: true,
    // One character that is not Latin-1 would make the whole text of a file take twice the memory; so do comments.
    charset: 'ascii',
    comments: { legal: true, annotation: false, jsdoc: false },
    entryFileNames: '[name].js',
    chunkFileNames: '[name].js',
  },
});
chmodSync(at('dist/main.js'), 0o755);
copyFileSync(at('node_modules/kysely/LICENSE'), at('dist/LICENSE-kysely'));
