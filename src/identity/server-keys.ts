import { decodeBase64, encodeBase64 } from '../signing/base64.ts';
import { canonicalJson } from '../signing/canonical-json.ts';
import { createVerifier, keyPairFromSeed } from '../signing/ed25519.ts';
import { fittingSignatures, type Signatures, signJson } from '../signing/signed-json.ts';

/** This server's long-term keys: one that signs, and those that signed before. */
export interface ServerKeys {
  readonly serverName: string;
  /** The key that signs, unpadded base64. */
  readonly currentPublicKey: string;
  /** The key with that id, unpadded base64; undefined when there is none. */
  publicKey(keyId: string): string | undefined;
  /** Whether the key, in either base64 alphabet, is one of this server's. */
  isValid(publicKey: string): boolean;
  /** Whether one of this server's keys, this or a former one, has signed the object, under whatever key id. */
  hasSigned(object: object): Promise<boolean>;
  /** The object with this server's signature added. */
  sign<T extends object>(object: T): T & { signatures: Signatures };
  /** The same, with those of its former keys that can sign as well: whoever checks may know only one of them. */
  signWithAll<T extends object>(object: T): T & { signatures: Signatures };
  /**
   * An object without signatures, signed also under the key id that Sydent looks for whatever the key's is.
   * In a thread beside: peers are sent thousands.
   */
  signForPeers<T extends object>(object: T): Promise<T & { signatures: Signatures }>;
}

interface SigningKey {
  readonly version: string;
  readonly seed: Uint8Array;
}

export interface KeyMaterial {
  readonly signingKey: SigningKey;
  readonly oldKeys: readonly { readonly version: string; readonly publicKey: Uint8Array }[];
  /** Of versions that differ from each other's and the signing key's. */
  readonly oldSigningKeys: readonly SigningKey[];
}

/** Sydent serves its key under this id whatever id it signs with. */
const SYDENT_KEY_ID = 'ed25519:0';

export function createServerKeys(serverName: string, material: KeyMaterial): ServerKeys {
  const current = keyPairFromSeed(material.signingKey.seed);
  const currentId = `ed25519:${material.signingKey.version}`;
  const former = material.oldSigningKeys.map(({ version, seed }) => ({
    id: `ed25519:${version}`,
    pair: keyPairFromSeed(seed),
  }));
  const byId = new Map([
    [SYDENT_KEY_ID, encodeBase64(current.publicKey)],
    ...material.oldKeys.map(
      (key) => [`ed25519:${key.version}`, encodeBase64(key.publicKey)] as const,
    ),
    ...former.map(({ id, pair }) => [id, encodeBase64(pair.publicKey)] as const),
    [currentId, encodeBase64(current.publicKey)],
  ]);
  // Valid whether or not another key has taken its id.
  const old = material.oldKeys.map(({ publicKey }) => encodeBase64(publicKey));
  const all = new Set([...byId.values(), ...old]);
  const publicKeys = [current, ...former.map(({ pair }) => pair), ...material.oldKeys];
  const verifiers = publicKeys.flatMap(({ publicKey }) => createVerifier(publicKey) ?? []);
  const sign = <T extends object>(object: T) =>
    signJson(object, serverName, currentId, current.sign);
  return {
    serverName,
    currentPublicKey: encodeBase64(current.publicKey),
    publicKey: (keyId) => byId.get(keyId),
    isValid(publicKey) {
      // A `+` that nobody percent-encoded arrives as a space.
      const bytes = decodeBase64(publicKey.replaceAll(' ', '+'));
      return bytes !== undefined && all.has(encodeBase64(bytes));
    },
    hasSigned: async (object) =>
      (await fittingSignatures(object, serverName, verifiers)) !== undefined,
    sign,
    signWithAll: (object) =>
      former.reduce(
        (signed, { id, pair }) => signJson(signed, serverName, id, pair.sign),
        sign(object),
      ),
    async signForPeers(object) {
      const signature = encodeBase64(await current.signAside(canonicalJson(object)));
      // The id is not part of what is signed.
      const both = { [SYDENT_KEY_ID]: signature, [currentId]: signature };
      return { ...object, signatures: { [serverName]: both } };
    },
  };
}
