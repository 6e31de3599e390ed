import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PACKAGE_FOLDER } from './package-folder.ts';

/** The commit that this package was made of, shortened; undefined where it was built by hand. */
export function commitOf(): string | undefined {
  try {
    return readFileSync(path.join(PACKAGE_FOLDER, 'dist', 'commit'), 'utf8').trim();
  } catch {
    return undefined;
  }
}
