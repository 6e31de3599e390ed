import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { coloursOf } from './colours.js';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

const tokens = JSON.parse(readFileSync(at('../tokens.json'), 'utf8'));
const colours = {
  name: 'colours',
  enforce: 'pre',
  transform: (code, id) =>
    id.endsWith('/console/style.css') ? `${code}\n${coloursOf(tokens)}` : undefined,
};

/** The console: a few files with their content's hash in their names, which load nothing from elsewhere. */
export default {
  root: at('.'),
  // Where a proxy has it below a path of its own, it works there, too.
  base: './',
  publicDir: false,
  plugins: [colours],
  build: {
    outDir: at('../../dist/console'),
    emptyOutDir: true,
    target: 'es2023',
    // Its policy lets no data: URL in.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
};
