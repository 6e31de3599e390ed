import { accessSync, constants } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';

const CANDIDATES = [process.env['CHROMIUM'], '/usr/bin/chromium', '/usr/bin/chromium-browser'];
const browserPath = CANDIDATES.find((candidate) => {
  try {
    accessSync(candidate ?? '', constants.X_OK);
    return true;
  } catch {
    return false;
  }
});

/** Whether tests in a browser are left out. CI installs one: there they must not be. */
export const isWithoutBrowser = browserPath === undefined && !process.env['CI'];

if (isWithoutBrowser) {
  process.stderr.write(
    '\nNo browser: tests in one are left out. Install Debian’s chromium, or set CHROMIUM.\n\n',
  );
}

/** A browser that asks nobody for anything by itself; to be closed. */
export async function launchBrowser(): Promise<Browser> {
  if (browserPath === undefined) throw new Error('There is no browser; install chromium');
  return chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}
