import { canonicalJson } from '../../src/signing/canonical-json.ts';
import type { Lists, Looks } from './api.ts';

/** What the browser itself found of a signature. */
export type Verdict = 'good' | 'wrong' | 'different' | 'of-peer' | 'unable';

type Binding = Lists['lookup'];
type Members = Readonly<Record<string, unknown>>;

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** In either alphabet, with or without padding. @throws DOMException where it is no base64 */
const bytesOf = (base64: string) =>
  Uint8Array.from(
    atob(base64.replaceAll('-', '+').replaceAll('_', '/').replaceAll('=', '')),
    (one) => one.charCodeAt(0),
  );

const isSame = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

/** The signatures of a server, whatever case its name is in. */
function signaturesOf(object: Members, server: string): string[] {
  const all = object['signatures'];
  if (!isMembers(all)) return [];
  return Object.entries(all)
    .filter(([name, own]) => isSame(name, server) && isMembers(own))
    .flatMap(([, own]) => Object.values(own as Members))
    .filter((one) => typeof one === 'string');
}

async function isSignedBy(text: string, signature: string, key: string): Promise<boolean> {
  const imported = await crypto.subtle.importKey('raw', bytesOf(key), 'Ed25519', false, ['verify']);
  return crypto.subtle.verify(
    'Ed25519',
    imported,
    bytesOf(signature),
    new TextEncoder().encode(text),
  );
}

/** Whether WebCrypto is there, which it is over https and on this machine, and knows Ed25519. */
async function canCheck(): Promise<boolean> {
  try {
    await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
    return true;
  } catch {
    return false;
  }
}

/** Checks the signed JSON of a binding by the public keys of this server, here in the browser. */
export async function checkSignature(
  { signed, origin, medium, mxid }: Binding,
  { server_name: server, keys }: Pick<Looks['about'], 'server_name' | 'keys'>,
): Promise<Verdict> {
  if (!isSame(origin, server)) return 'of-peer';
  if (!(await canCheck())) return 'unable';
  try {
    const object: unknown = JSON.parse(signed);
    if (!isMembers(object)) return 'wrong';
    if (object['mxid'] !== mxid || object['medium'] !== medium) return 'different';
    const { signatures: _signatures, unsigned: _unsigned, ...rest } = object;
    const text = canonicalJson(rest);
    for (const signature of signaturesOf(object, server)) {
      for (const { public_key: key } of keys) {
        if (await isSignedBy(text, signature, key)) return 'good';
      }
    }
  } catch (error) {
    // What is no JSON, or no base64, is signed by nobody.
    if (!(error instanceof Error || error instanceof DOMException)) throw error;
  }
  return 'wrong';
}
