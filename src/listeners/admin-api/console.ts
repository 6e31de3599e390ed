import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { PACKAGE_FOLDER } from '../../platform/package-folder.ts';
import type { ServedFile } from '../http/files.ts';
import { PREVIEW_FRAME } from './preview-frame.ts';

/** What the build wrote of a file of the console: under which path, which type, and whether its name tells its content. */
interface BuiltFile {
  readonly name: string;
  readonly path: string;
  readonly type: string;
  readonly isHashed: boolean;
}

/**
 * Nothing but its own files, and requests to its own listener: even a text that got in as HTML could load and send nothing.
 * @param issuer the origin of the provider that it signs in at
 */
const contentSecurityPolicy = (issuer: string | undefined) =>
  [
    "default-src 'none'",
    ...["script-src 'self'", "style-src 'self'", "img-src 'self'"],
    ["connect-src 'self'", issuer].filter((source) => source !== undefined).join(' '),
    // The frame that shows templates.
    "frame-src 'self'",
    ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"],
    "require-trusted-types-for 'script'",
  ].join('; ');

const HEADERS = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
};

const FOLDER = path.join(PACKAGE_FOLDER, 'dist', 'console');

interface ConsoleOptions {
  readonly signsInAt: string | undefined;
}

/**
 * The operators' console, as the list of the build names its files. Rejects where it is not built.
 * @param signsInAt the provider
 */
export async function consoleFiles({ signsInAt }: ConsoleOptions): Promise<ServedFile[]> {
  const policy = contentSecurityPolicy(signsInAt && new URL(signsInAt).origin);
  const list: readonly BuiltFile[] = JSON.parse(
    await readFile(path.join(FOLDER, 'files.json'), 'utf8'),
  );
  const built = list.map(async ({ name, path: url, type, isHashed }) => ({
    path: url,
    body: await readFile(path.join(FOLDER, name)),
    headers: {
      ...HEADERS,
      'content-security-policy': policy,
      'content-type': type,
      'cache-control': isHashed ? 'public, max-age=31536000, immutable' : 'no-cache',
    },
  }));
  return [...(await Promise.all(built)), PREVIEW_FRAME];
}
