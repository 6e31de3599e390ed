import { execFileSync } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { rm, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { temporaryFolder } from './databases.ts';

/** A disk of its own over a folder. */
export interface SmallDisk {
  /** Takes all room, but so many bytes. */
  fill(left: number): Promise<void>;
  makeRoom(): Promise<void>;
  unmount(): void;
}

const MIB = 1024 * 1024;

/** @param size MiB */
export function mountSmallDisk(folder: string, size: number): SmallDisk {
  const options = ['-t', 'tmpfs', '-o', `size=${size}m`, 'tmpfs', folder];
  execFileSync('mount', options, { stdio: 'ignore' });
  const ballast = path.join(folder, 'ballast');
  return {
    async fill(left) {
      const zeros = Array.from({ length: size }, () => Buffer.alloc(MIB));
      await pipeline(zeros, createWriteStream(ballast)).catch(() => {});
      await truncate(ballast, (await stat(ballast)).size - left);
    },
    makeRoom: () => rm(ballast),
    // After a failure something may still be open.
    unmount: () => void execFileSync('umount', ['-l', folder]),
  };
}

async function canMount(): Promise<boolean> {
  const probe = await temporaryFolder();
  try {
    mountSmallDisk(probe.path, 1).unmount();
    return true;
  } catch {
    return false;
  } finally {
    await probe.remove();
  }
}

/** Whether who runs the tests may mount one. */
export const CAN_MOUNT = await canMount();
