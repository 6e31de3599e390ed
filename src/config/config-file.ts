import { constants } from 'node:fs';
import { access, chmod, chown, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { RIGHTS_OF_OTHERS } from './exposed-files.ts';

interface Attributes {
  readonly mode: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** Writes the file whole or not at all, and so that it is there after a power failure. */
export async function writeDurably(
  file: string,
  text: string,
  attributes: Attributes,
): Promise<void> {
  const temporary = `${file}.${process.pid}.new`;
  try {
    const handle = await open(temporary, 'wx', attributes.mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await chmod(temporary, attributes.mode);
    if (attributes.uid !== undefined && attributes.gid !== undefined) {
      await chown(temporary, attributes.uid, attributes.gid);
    }
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  const folder = await open(path.dirname(file), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/**
 * Gives an existing configuration another text that holds a secret: owner, group and their rights stay, others lose
 * theirs. A link goes on pointing where it did.
 */
export async function replaceSecretText(file: string, text: string): Promise<void> {
  const target = await realpath(file);
  await access(target, constants.W_OK);
  const { mode, uid, gid } = await stat(target);
  // To root every file is writable; a file that nobody may write was meant to stay as it is.
  if ((mode & 0o222) === 0) throw new Error('it is read-only');
  await writeDurably(target, text, { mode: mode & 0o7777 & ~RIGHTS_OF_OTHERS, uid, gid });
}
