import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { type RequestOptions, request } from 'node:https';
import path from 'node:path';
import pino from 'pino';
import { encodeBase64 } from '../../src/signing/base64.ts';
import { type KeyPair, keyPairFromSeed } from '../../src/signing/ed25519.ts';
import { signJson } from '../../src/signing/signed-json.ts';
import type { DatabaseConfig } from '../../src/storage/database-config.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import type { Stores } from '../../src/storage/stores/index.ts';
import { type EngineName, temporaryFolder } from './databases.ts';
import { freePort } from './free-port.ts';
import { get, postJson } from './http.ts';
import { startTestServer, type TestServer } from './server.ts';
import type { TestCa } from './tls.ts';

export const PUSH_PATH = '/_matrix/identity/replicate/v1/push';

/** A signing key as configurations hold it. */
export function newSigningKey(version = '0'): { line: string; pair: KeyPair; publicKey: string } {
  const seed = randomBytes(32);
  const pair = keyPairFromSeed(seed);
  const line = `ed25519 ${version} ${encodeBase64(seed)}`;
  return { line, pair, publicKey: encodeBase64(pair.publicKey) };
}

/** A folder with the certificate of that name, fit for both ends of connections on this machine. */
export async function certificateFolder(ca: TestCa, name: string) {
  const folder = await temporaryFolder();
  const { cert, key } = await ca.issue(name, '127.0.0.1');
  const file = path.join(folder.path, 'peer.pem');
  await writeFile(file, key + cert);
  return { file, cert, key, remove: folder.remove };
}

/** The `[http]` lines of a server that takes part in replication. */
export const replicationLines = (certFile: string, ca: TestCa, port: number) =>
  [
    `replication.https.certfile = ${certFile}`,
    `replication.https.cacert = ${ca.file}`,
    'replication.https.bind_address = 127.0.0.1',
    `replication.https.port = ${port}`,
  ].join('\n');

export interface ReplicatingServer extends TestServer {
  readonly name: string;
  readonly publicKey: string;
  readonly replicationUrl: string;
  readonly certFile: string;
}

export interface ReplicatingServerOptions {
  readonly engine?: EngineName;
  /** Further lines of `[http]`. */
  readonly http?: string;
  /** Further lines of `[general]`. */
  readonly general?: string;
  /** Of the signing key. */
  readonly keyVersion?: string;
  /** Lines of `[crypto]` beside that key. */
  readonly crypto?: string;
}

/** A server in this process that takes part in replication; it knows no peers yet. */
export async function startReplicatingServer(
  ca: TestCa,
  name: string,
  {
    engine = 'sqlite',
    http = '',
    general = '',
    keyVersion,
    crypto = '',
  }: ReplicatingServerOptions = {},
): Promise<ReplicatingServer> {
  const certificate = await certificateFolder(ca, name);
  const port = await freePort();
  const signingKey = newSigningKey(keyVersion);
  const server = await startTestServer({
    engine,
    serverName: name,
    signingKey: signingKey.line,
    trustedCa: ca.pem,
    noticeTimings: { poll: 20 },
    sections: { general, crypto, http: `${replicationLines(certificate.file, ca, port)}\n${http}` },
  });
  const { stop } = server;
  return Object.assign(server, {
    name,
    publicKey: signingKey.publicKey,
    replicationUrl: `https://127.0.0.1:${port}`,
    certFile: certificate.file,
    async stop() {
      await stop();
      await certificate.remove();
    },
  });
}

/** Works on a server's database as the command line does. */
export async function onDatabase<T>(
  db: DatabaseConfig,
  work: (stores: Stores) => Promise<T>,
): Promise<T> {
  const storage = await openForCommand(db, pino({ level: 'silent' }));
  try {
    return await storage.transaction(work);
  } finally {
    await storage.close();
  }
}

/** Makes a peer known to a server. */
export const introduce = (
  to: { readonly config: { readonly db: DatabaseConfig } },
  peer: { readonly name: string; readonly publicKey: string; readonly replicationUrl?: string },
) =>
  onDatabase(to.config.db, ({ peers }) =>
    peers.save({
      name: peer.name,
      keys: [peer.publicKey],
      url: peer.replicationUrl,
      port: undefined,
    }),
  );

const INTERNAL = '/_matrix/identity/internal';

export const bind = (server: { internalUrl: string }, address: string, mxid: string) =>
  postJson(`${server.internalUrl}${INTERNAL}/bind`, { medium: 'email', address, mxid });

export const unbind = (server: { internalUrl: string }, address: string, mxid: string) =>
  postJson(`${server.internalUrl}${INTERNAL}/unbind`, { medium: 'email', address, mxid });

/** The signed association that a server knows of the address; `{}` for none. */
export const lookup = async (server: { url: string }, address: string) =>
  (await get(`${server.url}/_matrix/identity/api/v1/lookup`, { medium: 'email', address })).json;

/** An association as a peer of that name and key would push it; a field that is undefined is left out. */
export function signedAssociation(
  peer: { readonly name: string; readonly pair: KeyPair; readonly keyId?: string },
  fields: Record<string, unknown> = {},
): Record<string, unknown> {
  const association = {
    medium: 'email',
    address: 'ada@sample.test',
    mxid: '@ada:sample.test',
    ts: 1_700_000_000_000,
    not_before: 1_700_000_000_000,
    not_after: 4_000_000_000_000,
    ...fields,
  };
  const there = Object.entries(association).filter(([, value]) => value !== undefined);
  const keyId = peer.keyId ?? 'ed25519:0';
  return signJson(Object.fromEntries(there), peer.name, keyId, peer.pair.sign);
}

/** The JSON of an object signed as Sydent does, with any number: its members as JSON, by name. */
export function signedAsWritten(
  peer: { readonly name: string; readonly pair: KeyPair },
  members: Readonly<Record<string, string>>,
): string {
  const written = Object.keys(members)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${members[name]}`);
  const signature = encodeBase64(peer.pair.sign(`{${written.join(',')}}`));
  const signatures = JSON.stringify({ [peer.name]: { 'ed25519:0': signature } });
  return `{${[...written, `"signatures":${signatures}`].join(',')}}`;
}

export const deletion = (
  peer: Parameters<typeof signedAssociation>[0],
  fields: Record<string, unknown> = {},
) => signedAssociation(peer, { mxid: null, not_before: null, not_after: null, ...fields });

export interface RawPush
  extends Pick<RequestOptions, 'cert' | 'key' | 'ca' | 'method' | 'setHost'> {
  readonly url: string;
  readonly path?: string;
  readonly body?: string | Buffer;
  /** `null`: none. */
  readonly contentType?: string | null;
}

/** A request to a replication listener, made by hand; rejects when TLS does not come about. */
export async function rawPush(options: RawPush) {
  const {
    url,
    path: at = PUSH_PATH,
    body = '',
    contentType = 'application/json',
    ...rest
  } = options;
  const sent = request(url + at, {
    method: 'POST',
    ...rest,
    agent: false,
    headers: {
      'content-length': Buffer.byteLength(body),
      ...(contentType === null ? {} : { 'content-type': contentType }),
    },
  });
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted on member by member
  const json: any = text === '' ? undefined : JSON.parse(text);
  return { status: response.statusCode, headers: response.headers, json };
}
