import { copyFile } from 'node:fs/promises';
import path from 'node:path';
import { createDatabase, type EngineName, temporaryFolder } from './databases.ts';
import { freePort } from './free-port.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from './process.ts';
import { certificateFolder, newSigningKey, replicationLines } from './replicating-servers.ts';
import type { TestCa } from './tls.ts';

/** A server that replicates, in a process of its own, and its command line. */
export interface ReplicatingProcess {
  readonly name: string;
  readonly publicKey: string;
  readonly replicationUrl: string;
  readonly url: string;
  readonly internalUrl: string;
  /** The certificate with its key, which the server reads at SIGHUP. */
  readonly certFile: string;
  /** Of the configuration. */
  readonly file: string;
  readonly process: () => ServerProcess;
  start(): Promise<void>;
  /** Runs `cognomen peers` beside it; its output, and the exit status. */
  peers(...args: string[]): Promise<{ output: string; status: number | string | null }>;
  remove(): Promise<void>;
}

export interface ReplicatingProcessOptions {
  readonly engine?: EngineName;
  /** Lines of `[db]` and a signing key: those of another process, to be its twin. */
  readonly twin?: { readonly db: string; readonly signingKey: ReturnType<typeof newSigningKey> };
  /** Lines of further sections. */
  readonly sections?: { readonly general?: string; readonly email?: string };
  /** Of the server's process. */
  readonly env?: Record<string, string>;
}

export async function createReplicatingProcess(
  ca: TestCa,
  name: string,
  { engine = 'sqlite', twin, sections: further = {}, env = {} }: ReplicatingProcessOptions = {},
): Promise<ReplicatingProcess & { readonly twin: NonNullable<ReplicatingProcessOptions['twin']> }> {
  const folder = await temporaryFolder();
  const certificate = await certificateFolder(ca, name);
  const certFile = path.join(folder.path, 'peer.pem');
  await copyFile(certificate.file, certFile);
  const database = twin ? undefined : await createDatabase(engine);
  const db = twin?.db ?? database?.config ?? '';
  const signingKey = twin?.signingKey ?? newSigningKey();
  const port = await freePort();
  const sections = {
    ...further,
    db,
    http: replicationLines(certFile, ca, port),
    crypto: `ed25519.signingkey = ${signingKey.line}`,
  };
  const { file, url, internalUrl } = await writeConfig(folder.path, sections, name);
  let running: ServerProcess | undefined;
  return {
    name,
    file,
    url,
    internalUrl,
    certFile,
    publicKey: signingKey.publicKey,
    replicationUrl: `https://127.0.0.1:${port}`,
    twin: { db, signingKey },
    process() {
      if (running === undefined) throw new Error(`${name} does not run`);
      return running;
    },
    async start() {
      running = spawnCognomen([], { cwd: folder.path, env });
      await running.untilLogged('Ready');
    },
    async peers(...args) {
      const command = spawnCognomen(['peers', ...args], { cwd: folder.path });
      return { status: await command.ended, output: command.log() };
    },
    async remove() {
      await running?.stop('SIGKILL');
      await database?.drop();
      await certificate.remove();
      await folder.remove();
    },
  };
}

/** Makes each known to the other, by command. */
export async function befriend(a: ReplicatingProcess, b: ReplicatingProcess): Promise<void> {
  for (const [at, peer] of [
    [a, b],
    [b, a],
  ] as const) {
    const { status, output } = await at.peers(
      'add',
      peer.name,
      '--key',
      peer.publicKey,
      '--url',
      peer.replicationUrl,
    );
    if (status !== 0) throw new Error(output);
  }
}
