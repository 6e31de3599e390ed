// npm compiles what has a binding.gyp, unless its package.json says `gypfile: false`, as that of
// better-sqlite3 does, which brings its binaries. npm leaves that word out of package-lock.json,
// by which `npm ci` goes: this puts it back, whenever npm has written the file.
import { readFileSync, writeFileSync } from 'node:fs';

const LOCKFILE = new URL('../package-lock.json', import.meta.url);

/** The package.json of an installed package; `undefined` when it is not for this machine. */
function manifest(location) {
  try {
    return JSON.parse(
      readFileSync(new URL(`../${location}/package.json`, import.meta.url), 'utf8'),
    );
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

const text = readFileSync(LOCKFILE, 'utf8');
const lockfile = JSON.parse(text);
for (const [location, entry] of Object.entries(lockfile.packages)) {
  if (location !== '' && manifest(location)?.gypfile === false) entry.gypfile = false;
}
const completed = `${JSON.stringify(lockfile, null, 2)}\n`;
if (completed !== text) writeFileSync(LOCKFILE, completed);
