import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { temporaryFolder } from './databases.ts';

const LIBRARY = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find(existsSync);

/** Whether Debian's package `faketime` is there. */
export const HAS_FAKETIME = LIBRARY !== undefined;

/** The system's clock as processes with this environment see it. Spans of time are as they are. */
export interface FakeClock {
  readonly env: Record<string, string>;
  /** How it goes from now on, compared with the true one: seconds ahead, negative where it is behind, and its speed. */
  set(ahead: number, speed?: number): Promise<void>;
  remove(): Promise<void>;
}

export async function createFakeClock(): Promise<FakeClock> {
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'time');
  const next = `${file}.next`;
  async function set(ahead: number, speed = 1): Promise<void> {
    const signed = ahead < 0 ? String(ahead) : `+${ahead}`;
    // It is read at each look at the clock, so it is never there in part.
    // A speed stays until another is given.
    await writeFile(next, `${signed} x${speed.toFixed(1)}`);
    await rename(next, file);
  }
  await set(0);
  return {
    env: {
      LD_PRELOAD: LIBRARY ?? '',
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      // The name has changed between versions.
      DONT_FAKE_MONOTONIC: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
    },
    set,
    remove: folder.remove,
  };
}
