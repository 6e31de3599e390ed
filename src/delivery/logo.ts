import { open, stat } from 'node:fs/promises';

/** The operator's logo. */
export interface Logo {
  /** The picture as it is on disk now. @throws Error what is wrong with it */
  read(): Promise<Picture>;
}

export interface Picture {
  /** Its media type. */
  readonly type: string;
  readonly bytes: Buffer;
}

const MAX_BYTES = 256 * 1024;

const startsWith = (bytes: Buffer, start: string, at = 0) =>
  bytes.subarray(at, at + start.length).toString('latin1') === start;

/** By what is in it, whatever the file is called; undefined: it is no picture. */
function typeOf(bytes: Buffer): string | undefined {
  if (startsWith(bytes, '\x89PNG\r\n\x1a\n')) return 'image/png';
  if (startsWith(bytes, '\xff\xd8\xff')) return 'image/jpeg';
  if (startsWith(bytes, 'RIFF') && startsWith(bytes, 'WEBP', 8)) return 'image/webp';
  const text = bytes
    .subarray(0, 1000)
    .toString('utf8')
    .replace(/^\ufeff/, '')
    .trimStart();
  return text.startsWith('<') && /<svg[\s>]/.test(text) ? 'image/svg+xml' : undefined;
}

async function bytesOf(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    const buffer = Buffer.alloc(MAX_BYTES + 1);
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The logo in that file; a changed file is read again. */
export function createLogo(file: string): Logo {
  let known: { readonly state: string; readonly picture: Picture } | undefined;
  return {
    async read() {
      const { mtimeMs, size, ino } = await stat(file);
      const state = `${mtimeMs} ${size} ${ino}`;
      if (known?.state === state) return known.picture;
      const bytes = await bytesOf(file);
      if (bytes.length > MAX_BYTES) throw new Error('it is larger than 256 KiB');
      const type = typeOf(bytes);
      if (type === undefined) throw new Error('it is no PNG, JPEG, WebP or SVG');
      known = { state, picture: { type, bytes: Buffer.from(bytes) } };
      return known.picture;
    },
  };
}

/** What is wrong with the logo that the configuration names, in one line. */
export async function faultsOfLogo(file: string): Promise<string[]> {
  if (file === '') return [];
  try {
    await createLogo(file).read();
    return [];
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return [`[general] operator.logo = ${file}: ${why}; no logo is shown`];
  }
}
