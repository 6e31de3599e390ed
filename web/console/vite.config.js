import { fileURLToPath } from 'node:url';

const at = (path) => fileURLToPath(new URL(path, import.meta.url));

/** The console: a few files with their content's hash in their names, which load nothing from elsewhere. */
export default {
  root: at('.'),
  // Where a proxy has it below a path of its own, it works there, too.
  base: './',
  publicDir: false,
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
