import { decodeBase64, encodeBase64 } from '../signing/base64.ts';
import { canonicalJson } from '../signing/canonical-json.ts';
import { createVerifier, type KeyPair, keyPairFromSeed } from '../signing/ed25519.ts';
import { createSeal, type Seal } from '../signing/sealing.ts';
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
   * An object without signatures, signed by one of those that can, under its own id and the one that Sydent looks for
   * whatever the key's is. In a thread beside: peers are sent thousands.
   * @param keyId the key that the peer has on file; the one that signs, where it is none of these
   */
  signForPeers<T extends object>(
    object: T,
    keyId?: string,
  ): Promise<T & { signatures: Signatures }>;
  /** The ids of the keys that can sign: the one that does, then the former ones. */
  readonly signingIds: readonly string[];
  /** Keeps a text secret where the database holds it, by a key made of the one that signs. */
  seal: Seal['seal'];
  /** What that, or one of the former keys that can sign, has sealed. */
  open: Seal['open'];
  /** All keys there are, the one that signs first. */
  readonly described: readonly DescribedKey[];
  /** All keys that are served, under each of their ids; unpadded base64. */
  readonly publicKeys: ReadonlyMap<string, string>;
}

/** Keys that can be changed while the server runs. */
export interface RenewableServerKeys extends ServerKeys {
  /** From now on these are in force. Whether that changed anything. */
  renew(material: KeyMaterial): boolean;
}

interface SigningKey {
  readonly version: string;
  readonly seed: Uint8Array;
}

interface OwnKey {
  readonly id: string;
  readonly pair: KeyPair;
}

export interface KeyMaterial {
  readonly signingKey: SigningKey;
  readonly oldKeys: readonly { readonly version: string; readonly publicKey: Uint8Array }[];
  /** Of versions that differ from each other's and the signing key's. */
  readonly oldSigningKeys: readonly SigningKey[];
}

export interface DescribedKey {
  readonly id: string;
  /** Unpadded base64. */
  readonly publicKey: string;
  readonly use: 'signs' | 'signs invitations of its time' | 'is served';
}

/** All keys there are, the one that signs first. */
export function describeKeys(material: KeyMaterial): [DescribedKey, ...DescribedKey[]] {
  const ofSeed = ({ version, seed }: SigningKey, use: DescribedKey['use']): DescribedKey => ({
    id: `ed25519:${version}`,
    publicKey: encodeBase64(keyPairFromSeed(seed).publicKey),
    use,
  });
  return [
    ofSeed(material.signingKey, 'signs'),
    ...material.oldSigningKeys.map((key) => ofSeed(key, 'signs invitations of its time')),
    ...material.oldKeys.map(({ version, publicKey }) => ({
      id: `ed25519:${version}`,
      publicKey: encodeBase64(publicKey),
      use: 'is served' as const,
    })),
  ];
}

/** Sydent serves its key under this id whatever id it signs with. */
const SYDENT_KEY_ID = 'ed25519:0';
/** What is sealed by a key made of a signing key: another use gets another key. */
const SEALED = 'invitation mails 1';

export function createServerKeys(serverName: string, material: KeyMaterial): RenewableServerKeys {
  let keys = keysOf(serverName, material);
  return {
    serverName,
    get currentPublicKey() {
      return keys.currentPublicKey;
    },
    get signingIds() {
      return keys.signingIds;
    },
    get described() {
      return keys.described;
    },
    get publicKeys() {
      return keys.publicKeys;
    },
    publicKey: (keyId) => keys.publicKey(keyId),
    isValid: (publicKey) => keys.isValid(publicKey),
    hasSigned: (object) => keys.hasSigned(object),
    sign: (object) => keys.sign(object),
    signWithAll: (object) => keys.signWithAll(object),
    signForPeers: (object, keyId) => keys.signForPeers(object, keyId),
    seal: (text, about, nonce) => keys.seal(text, about, nonce),
    open: (sealed, about) => keys.open(sealed, about),
    renew(renewed) {
      const next = keysOf(serverName, renewed);
      const isOther = next.fingerprint !== keys.fingerprint;
      keys = next;
      return isOther;
    },
  };
}

/** The keys as one reading of the configuration has them. */
function keysOf(
  serverName: string,
  material: KeyMaterial,
): ServerKeys & { readonly fingerprint: string } {
  const [current, ...former] = [material.signingKey, ...material.oldSigningKeys].map(
    ({ version, seed }) => ({ id: `ed25519:${version}`, pair: keyPairFromSeed(seed) }),
  ) as [OwnKey, ...OwnKey[]];
  const publicOf = ({ pair }: OwnKey) => encodeBase64(pair.publicKey);
  const byId = new Map([
    [SYDENT_KEY_ID, publicOf(current)],
    ...material.oldKeys.map(
      (key) => [`ed25519:${key.version}`, encodeBase64(key.publicKey)] as const,
    ),
    ...former.map((key) => [key.id, publicOf(key)] as const),
    [current.id, publicOf(current)],
  ]);
  // Valid whether or not another key has taken its id.
  const old = material.oldKeys.map(({ publicKey }) => encodeBase64(publicKey));
  const all = new Set([...byId.values(), ...old]);
  const signAs = <T extends object>({ id, pair }: OwnKey, object: T) =>
    signJson(object, serverName, id, pair.sign);
  const signingIds = [current, ...former].map(({ id }) => id);
  const publicKeys = [...[current, ...former].map(({ pair }) => pair), ...material.oldKeys];
  const seals = [material.signingKey, ...material.oldSigningKeys].map(({ seed }) =>
    createSeal(seed, SEALED),
  ) as [Seal, ...Seal[]];
  const verifiers = publicKeys.flatMap(({ publicKey }) => createVerifier(publicKey) ?? []);
  return {
    serverName,
    fingerprint: JSON.stringify([signingIds, ...byId, old]),
    currentPublicKey: publicOf(current),
    signingIds,
    described: describeKeys(material),
    publicKeys: byId,
    publicKey: (keyId) => byId.get(keyId),
    isValid(publicKey) {
      // A `+` that nobody percent-encoded arrives as a space.
      const bytes = decodeBase64(publicKey.replaceAll(' ', '+'));
      return bytes !== undefined && all.has(encodeBase64(bytes));
    },
    hasSigned: async (object) =>
      (await fittingSignatures(object, serverName, verifiers)) !== undefined,
    seal: seals[0].seal,
    open(sealed, about) {
      for (const seal of seals) {
        const opened = seal.open(sealed, about);
        if (opened !== undefined) return opened;
      }
      return undefined;
    },
    sign: (object) => signAs(current, object),
    signWithAll: (object) =>
      former.reduce((signed, key) => signAs(key, signed), signAs(current, object)),
    async signForPeers(object, keyId) {
      const { id, pair } = former.find((key) => key.id === keyId) ?? current;
      const signature = encodeBase64(await pair.signAside(canonicalJson(object)));
      // The id is not part of what is signed.
      const both = { [SYDENT_KEY_ID]: signature, [id]: signature };
      return { ...object, signatures: { [serverName]: both } };
    },
  };
}
