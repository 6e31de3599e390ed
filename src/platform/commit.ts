import { readFileSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import path from 'node:path';

/** The commit that this package was made of, shortened; undefined where it was built by hand. */
export function commitOf(): string | undefined {
  try {
    const folder = path.dirname(findPackageJSON(import.meta.url) ?? '');
    return readFileSync(path.join(folder, 'dist', 'commit'), 'utf8').trim();
  } catch {
    return undefined;
  }
}
