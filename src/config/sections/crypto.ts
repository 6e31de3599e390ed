import { decodeBase64 } from '../../signing/base64.ts';
import { InvalidValueError, type Key, lines, type Warn } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

export interface CryptoConfig {
  readonly signingKey: SigningKeyConfig;
  /** Keys that signed before: still served and valid. */
  readonly oldKeys: readonly OldKeyConfig[];
  /** The same with their seeds: they sign invitations still. */
  readonly oldSigningKeys: readonly SigningKeyConfig[];
}

export interface SigningKeyConfig {
  /** The part behind `ed25519:`. */
  readonly version: string;
  /** 32 bytes. */
  readonly seed: Uint8Array;
}

export interface OldKeyConfig {
  readonly version: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

const section = 'crypto';

interface KeyLine {
  version: string;
  bytes: Uint8Array;
}

/** As Sydent: the algorithm, a version of any form, the key, and perhaps more, which means nothing. */
function keyLine(value: string, warn: Warn): KeyLine | undefined {
  const [algorithm, version, key, ...more] = value.trim().split(/\s+/);
  const bytes = decodeBase64(key ?? '');
  if (algorithm !== 'ed25519' || version === undefined || bytes?.length !== 32) return undefined;
  if (more.length > 0) warn('what its first three words say; the rest is ignored');
  if (!/^[a-zA-Z0-9_]+$/.test(version)) {
    warn('a version that others may refuse: it should be letters, digits and _');
  }
  return { version, bytes };
}

function signingKey(value: string, warn: Warn): SigningKeyConfig {
  // The oldest Sydents wrote the bare seed.
  if (/^[0-9a-fA-F]{64}$/.test(value)) return { version: '0', seed: Buffer.from(value, 'hex') };
  const line = keyLine(value, warn);
  if (line !== undefined) return { version: line.version, seed: line.bytes };
  throw new InvalidValueError(
    'ed25519, a version and 32 bytes in base64; cognomen generate-key makes one',
  );
}

function oldKeys(value: string, warn: Warn): OldKeyConfig[] {
  return lines(value).map((line) => {
    const parts = keyLine(line, warn);
    if (parts !== undefined) return { version: parts.version, publicKey: parts.bytes };
    throw new InvalidValueError('lines of ed25519, a version and a public key in base64');
  });
}

const oldSigningKeys = (value: string, warn: Warn): SigningKeyConfig[] =>
  lines(value).map((line) => signingKey(line, warn));

export const CRYPTO = {
  signingKey: {
    section,
    name: 'ed25519.signingkey',
    // Never in force: without a key in the file one is made and written there.
    default: '00'.repeat(32),
    defaultNote: 'made at the first start',
    parse: signingKey,
    secret: true,
    about:
      'The key that signs: ed25519, a version, and the seed in base64. Keep it secret, and keep a copy.',
  },
  oldKeys: {
    section,
    name: 'ed25519.old_keys',
    default: '',
    parse: oldKeys,
    own: true,
    about:
      'Public keys that signed before, one a line: ed25519, the version, the key in base64. They are still served, and valid.',
  },
  oldSigningKeys: {
    section,
    name: 'ed25519.old_signing_keys',
    default: '',
    parse: oldSigningKeys,
    own: true,
    secret: true,
    about:
      'Keys that signed before, one a line, as they stood in ed25519.signingkey. They are served and valid like old_keys, and sign invitations still: a homeserver takes one up only if it is signed by a key of the time when it was sent. Each needs a version of its own.',
  },
} satisfies Record<string, Key<unknown>>;

export function readCrypto(reader: ConfigReader): CryptoConfig {
  const signingKey = reader.read(CRYPTO.signingKey);
  const oldSigningKeys = reader.read(CRYPTO.oldSigningKeys);
  const versions = [signingKey, ...oldSigningKeys].map(({ version }) => version);
  if (new Set(versions).size < versions.length) {
    const { name } = CRYPTO.oldSigningKeys;
    reader.problem(section, name, 'each key must have a version of its own, the signing key too');
  }
  return { signingKey, oldKeys: reader.read(CRYPTO.oldKeys), oldSigningKeys };
}
