import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { textLines } from './text-lines.ts';

/** Bytes of a line; a longer one is passed over. */
const LONGEST_LINE = 64 * 1024;
const COMPRESSED = /\.(?:gz|bz2|xz|zst|lz4|zip)$/;

/** The lines of a log that name somebody. */
export interface NamingLines {
  /** Files that have any. */
  readonly files: readonly string[];
  /** What could not be looked through: compressed, or not to be read. */
  readonly unread: readonly string[];
  readonly count: number;
  /** The first of them. */
  readonly lines: readonly string[];
}

/**
 * The lines of a log file, and of those that it was in the days before, that hold one of the texts.
 * @param file empty: there is none
 * @param most lines that are answered
 */
export async function linesNaming(
  file: string,
  texts: readonly string[],
  most: number,
): Promise<NamingLines> {
  const found = {
    ...{ files: [] as string[], unread: [] as string[] },
    ...{ count: 0, lines: [] as string[] },
  };
  if (file === '' || texts.length === 0) return found;
  // As JSON has them within a string.
  const wanted = texts.map((text) => JSON.stringify(text).slice(1, -1));

  async function search(each: string): Promise<void> {
    const before = found.count;
    for await (const { text } of textLines(createReadStream(each), LONGEST_LINE)) {
      if (text === undefined || !wanted.some((one) => text.includes(one))) continue;
      found.count++;
      if (found.lines.length < most) found.lines.push(text);
    }
    if (found.count > before) found.files.push(each);
  }

  const [folder, name] = [path.dirname(file), path.basename(file)];
  const names = await readdir(folder).catch(() => {
    found.unread.push(folder);
    return [] as string[];
  });
  for (const one of names.filter((one) => one === name || one.startsWith(`${name}.`)).sort()) {
    const each = path.join(folder, one);
    // One that is another user's, as logs of before may be, keeps nobody from the others.
    if (COMPRESSED.test(one)) found.unread.push(each);
    else await search(each).catch(() => found.unread.push(each));
  }
  return found;
}
