import { createReadStream } from 'node:fs';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { textLines } from './text-lines.ts';

/** Bytes of a line; a longer one is passed over. */
const LONGEST_LINE = 64 * 1024;

/** The lines of a log that name somebody. */
export interface NamingLines {
  /** Files that have any. */
  readonly files: readonly string[];
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
  const found = { files: [] as string[], count: 0, lines: [] as string[] };
  if (file === '' || texts.length === 0) return found;
  // As JSON has them within a string.
  const wanted = texts.map((text) => JSON.stringify(text).slice(1, -1));
  const [folder, name] = [path.dirname(file), path.basename(file)];
  const names = await readdir(folder).catch(() => [] as string[]);
  for (const each of names.filter((one) => one === name || one.startsWith(`${name}.`)).sort()) {
    const before = found.count;
    for await (const { text } of textLines(
      createReadStream(path.join(folder, each)),
      LONGEST_LINE,
    )) {
      if (text === undefined || !wanted.some((one) => text.includes(one))) continue;
      found.count++;
      if (found.lines.length < most) found.lines.push(text);
    }
    if (found.count > before) found.files.push(path.join(folder, each));
  }
  return found;
}
