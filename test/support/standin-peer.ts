import { once } from 'node:events';
import { createServer } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { decodeBase64 } from '../../src/signing/base64.ts';
import { verifySignedJson } from '../../src/signing/signed-json.ts';
import type { TestCa } from './tls.ts';

/** What came in one push. */
export interface ReceivedPush {
  readonly contentType: string | undefined;
  readonly bytes: number;
  // biome-ignore lint/suspicious/noExplicitAny: associations are asserted on member by member
  readonly sgAssocs: Record<string, any>;
}

export interface StandInPeer {
  readonly url: string;
  /** Those that were taken. */
  readonly taken: ReceivedPush[];
  /** All ids taken, in the order they came. */
  readonly ids: () => number[];
  /** Pushes of any kind. */
  readonly count: () => number;
  close(): Promise<void>;
}

export interface StandInOptions {
  readonly ca: TestCa;
  /** The peer's name. */
  readonly name: string;
  /** Who pushes to it. */
  readonly pusher: { readonly name: string; readonly publicKey: string };
  /** Sydent's limit: a longer body ends in a broken connection. */
  readonly mostBytes?: number;
  /** More associations are answered with this; 0 breaks the connection. */
  readonly most?: {
    readonly associations: number;
    readonly status: number;
    readonly body?: object;
  };
  /** Ids that it does not take, beside what is not exactly an association. */
  readonly refuses?: () => readonly number[];
  /** Answers only then. */
  readonly after?: Promise<unknown>;
  /** Never answers. */
  readonly silent?: boolean;
}

const SYDENTS_LIMIT = 512 * 1024;
const MEMBERS = ['address', 'medium', 'mxid', 'not_after', 'not_before', 'signatures', 'ts'];

/** A peer that behaves as Sydent does, and can be made to behave worse. */
export async function startStandInPeer(options: StandInOptions): Promise<StandInPeer> {
  const { ca, name, pusher, mostBytes = SYDENTS_LIMIT, most, refuses = () => [] } = options;
  const certificate = await ca.issue(name, '127.0.0.1');
  // When it is needed: a peer may be there before who pushes to it.
  const publicKey = () => decodeBase64(pusher.publicKey) ?? new Uint8Array();
  const taken: ReceivedPush[] = [];
  let count = 0;

  function judge(body: string, contentType: string | undefined): [status: number, answer: object] {
    // Sydent compares the whole header.
    if (contentType !== 'application/json') return [400, { errcode: 'M_NOT_JSON' }];
    const { sgAssocs } = JSON.parse(body) as ReceivedPush;
    const entries = Object.entries(sgAssocs);
    if (most !== undefined && entries.length > most.associations) {
      return [most.status, most.body ?? {}];
    }
    const failed = entries
      .filter(
        ([id, association]) =>
          refuses().includes(Number(id)) ||
          Object.keys(association).sort().join() !== MEMBERS.join() ||
          !verifySignedJson(association, pusher.name, 'ed25519:0', publicKey()),
      )
      .map(([id]) => id);
    if (failed.length > 0) {
      return [400, { errcode: 'M_VERIFICATION_FAILED', error: 'no', failed_ids: failed }];
    }
    taken.push({ contentType, bytes: Buffer.byteLength(body), sgAssocs });
    return [200, { success: true }];
  }

  const server = createServer(
    { ...certificate, ca: ca.pem, requestCert: true, rejectUnauthorized: true },
    (request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
        if (body.length > mostBytes) request.socket.destroy();
      });
      request.on('end', async () => {
        count++;
        await options.after;
        if (options.silent) return;
        // Who has gone meanwhile has no certificate any more, and gets no answer.
        if (request.socket.destroyed) return;
        const caller = (request.socket as TLSSocket).getPeerCertificate().subject.CN;
        const [status, answer] =
          caller === pusher.name
            ? judge(body, request.headers['content-type'])
            : [403, { errcode: 'M_UNKNOWN_PEER' }];
        if (status === 0) {
          request.socket.destroy();
          return;
        }
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(answer));
      });
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    url: `https://127.0.0.1:${port}`,
    taken,
    ids: () => taken.flatMap((push) => Object.keys(push.sgAssocs).map(Number)),
    count: () => count,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
