// Writes down which commit a package is made of, for `cognomen --version`: $COGNOMEN_COMMIT, or what git says.
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** What git says; undefined outside a clone. */
function ofGit() {
  try {
    const git = (...args) =>
      execFileSync('git', args, {
        cwd: ROOT,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
    const changed =
      git('status', '--porcelain', '--untracked-files=no', '.') === '' ? '' : '-changed';
    return git('rev-parse', '--short=12', 'HEAD').trim() + changed;
  } catch {
    return undefined;
  }
}

const commit = process.env.COGNOMEN_COMMIT?.slice(0, 12) || ofGit();
if (commit !== undefined) writeFileSync(new URL('../dist/commit', import.meta.url), `${commit}\n`);
