import { createHash } from 'node:crypto';
import type { ServedFile } from '../http/files.ts';

/**
 * Tells which colours it has, and writes into itself what it is given. It runs once, and the policy lets no other script run:
 * neither what is written into it, nor what that would load.
 */
const SCRIPT = `addEventListener('message', ({ data, source }) => {
  if (source !== parent) return;
  document.open();
  document.write(data);
  document.close();
}, { once: true });
parent.postMessage(matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light', '*');`;

const hash = createHash('sha256').update(SCRIPT).digest('base64');

const POLICY = [
  "default-src 'none'",
  // Mails and pages bring their styles with them; a style can load nothing.
  "style-src 'unsafe-inline'",
  'img-src data:',
  `script-src 'sha256-${hash}'`,
  ...["base-uri 'none'", "form-action 'none'", "frame-ancestors 'self'"],
  // An origin of its own: nothing of the console is within its reach.
  'sandbox allow-scripts',
].join('; ');

/** The frame in which the console shows what mails and pages look like: it holds nothing by itself. */
export const PREVIEW_FRAME: ServedFile = {
  path: '/preview',
  body: Buffer.from(
    `<!DOCTYPE html><html lang="en"><meta charset="utf-8"><meta name="color-scheme" content="light dark"><title>Preview</title><script>${SCRIPT}</script></html>`,
  ),
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': POLICY,
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
  },
};
