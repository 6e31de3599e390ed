// Makes dist/ of src/: the program in a few files, with Kysely inside. By themselves the two are some 600, and to find
// and load those took half of the time of a start. And with what of OpenTelemetry is used, which is a fiftieth of its 20 MB.
// Other packages are left to npm. And dist/console/ of web/console/: the
// files for browsers, with Preact inside.
import { chmodSync, copyFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'rolldown';
import { build as buildForBrowsers } from 'vite';

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));

rmSync(at('dist'), { recursive: true, force: true });
await build({
  // Threads begin in files of their own.
  input: [at('src/main.ts'), at('src/app/rehash-thread.ts')],
  platform: 'node',
  // What begins with # is of packages that come inside.
  external: /^(?!(kysely|@opentelemetry)(\/|$))[^./#]/,
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
copyFileSync(at('node_modules/@opentelemetry/sdk-trace/LICENSE'), at('dist/LICENSE-opentelemetry'));

const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};
const START = 'index.html';

const { output } = await buildForBrowsers({
  configFile: at('web/console/vite.config.js'),
  logLevel: 'warn',
});
// What the server serves, and nothing but that: each file under its own path.
const files = output.map(({ fileName: name }) => {
  const type = TYPES[path.extname(name)];
  if (type === undefined) throw new Error(`No type is known for ${name} of the console`);
  return { name, path: name === START ? '/' : `/${name}`, type, isHashed: name !== START };
});
writeFileSync(at('dist/console/files.json'), JSON.stringify(files));
copyFileSync(at('node_modules/preact/LICENSE'), at('dist/LICENSE-preact'));
