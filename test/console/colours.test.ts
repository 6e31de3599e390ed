import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const WEB = path.join(import.meta.dirname, '../../web');
const COLOUR = /#[\da-f]{3,8}\b|\b(?:rgba?|hsla?|oklch|oklab|lab|lch|color-mix)\(/gi;

test('nothing of the console, and no template, has colours beside those of the tokens', () => {
  const files = ['console', 'templates'].flatMap((folder) =>
    readdirSync(path.join(WEB, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(?:css|tsx?|html|j2)$/.test(name))
      .map((name) => path.join(folder, name)),
  );
  expect(files.length).toBeGreaterThan(30);
  const found = files.flatMap((name) =>
    [...readFileSync(path.join(WEB, name), 'utf8').matchAll(COLOUR)]
      .map(([colour]) => `${name}: ${colour}`)
      // Shadows of pages are black that is seen through.
      .filter((one) => !/^templates.*: rgb\($/.test(one)),
  );
  expect(found).toEqual([]);
});
