import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import { encodeBase64 } from '../../src/signing/base64.ts';
import { keyPairFromSeed } from '../../src/signing/ed25519.ts';
import { signJson } from '../../src/signing/signed-json.ts';
import type { TestCa } from './tls.ts';

export interface ReceivedRequest {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Name that TLS was asked for; false where it was an address. */
  readonly sni: string | false;
}

/** Answers a request by hand; false: as usual. */
export type Script = (
  request: ReceivedRequest,
  response: ServerResponse,
) => Promise<unknown> | unknown;

export interface TestHomeserver {
  readonly port: number;
  /** `HOST:PORT`, by which it is reached without discovery. */
  readonly serverName: string;
  /**
   * Lines of `[general]` with which a test server reaches it (with the option `trustedCa` beside them). A host other
   * than `localhost` has to be in a test's DNS server, which `dns.servers` names.
   */
  readonly reachable: string;
  /** Everything it was asked. */
  readonly requests: readonly ReceivedRequest[];
  /** Bodies of the `3pid/onbind` notices, in the order of their coming. */
  // biome-ignore lint/suspicious/noExplicitAny: notices are asserted on member by member
  readonly onbinds: readonly any[];
  /** The next notice that nobody took yet. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  nextOnbind(): Promise<any>;
  /** Whom `openid/userinfo` gives for each token: `sub`. */
  readonly openIdTokens: Map<string, string>;
  /** From now on, requests whose path begins so are answered by this; undefined: as usual again. */
  script(pathPrefix: string, script: Script | undefined): void;
  /** Answers what follows with such statuses, one each, then as usual again. */
  scriptOnbind(...statuses: readonly number[]): void;
  /** A value for Authorization by which it signs a request to this identity server. */
  authorization(request: SignRequest): string;
  /** Connections opened so far. */
  readonly connections: number;
  close(): Promise<void>;
}

export interface SignRequest {
  readonly method?: string;
  /** Path and query. */
  readonly uri: string;
  readonly content?: unknown;
  /** Whom it is for, in the header and in what is signed. */
  readonly destination?: string;
  /** The members of what is signed that say so; Synapse has `destination_is` only. */
  readonly destinationIn?: readonly ('destination' | 'destination_is')[];
  /** Further members of what is signed, or others in place of the usual. */
  readonly signed?: Record<string, unknown>;
}

export interface TestHomeserverOptions {
  readonly ca: TestCa;
  /** The host in its certificate and server name; it listens on 127.0.0.1 in any case. */
  readonly host?: string;
  /** When its keys end; by default a day after the tests' clock begins. */
  readonly validUntil?: number;
  /** With a certificate that is valid from now on. */
  readonly isFresh?: boolean;
}

const SEED = Buffer.alloc(32, 7);
const HOMESERVER_KEY_ID = 'ed25519:hs1';

async function read(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

export function answerJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

/** A stand-in for a homeserver: TLS by the test's authority, keys, OpenID, onbind. */
export async function startHomeserver(options: TestHomeserverOptions): Promise<TestHomeserver> {
  const { ca, host = 'localhost', validUntil = Date.UTC(2026, 0, 2) } = options;
  const certificate = await (options.isFresh ? ca.issueFresh : ca.issue)(host);
  const keyPair = keyPairFromSeed(SEED);
  const requests: ReceivedRequest[] = [];
  const onbinds: unknown[] = [];
  const untaken: unknown[] = [];
  const waiting: ((notice: unknown) => void)[] = [];
  const openIdTokens = new Map<string, string>();
  const scripts = new Map<string, Script>();
  const onbindStatuses: number[] = [];
  let connections = 0;
  let serverName = '';

  const sign = <T extends object>(object: T) =>
    signJson(object, serverName, HOMESERVER_KEY_ID, keyPair.sign);

  function answerKeys(response: ServerResponse): void {
    const key = encodeBase64(keyPair.publicKey);
    const keys = {
      server_name: serverName,
      valid_until_ts: validUntil,
      verify_keys: { [HOMESERVER_KEY_ID]: { key } },
      old_verify_keys: {},
    };
    answerJson(response, 200, sign(keys));
  }

  function answerUserinfo(token: string, response: ServerResponse): void {
    const sub = openIdTokens.get(token);
    if (sub !== undefined) answerJson(response, 200, { sub });
    else answerJson(response, 401, { errcode: 'M_UNKNOWN_TOKEN', error: 'Unknown token' });
  }

  function answerOnbind(body: string, response: ServerResponse): void {
    const notice: unknown = JSON.parse(body);
    onbinds.push(notice);
    const status = onbindStatuses.shift() ?? 200;
    answerJson(response, status, status === 200 ? {} : { errcode: 'M_FORBIDDEN', error: 'No' });
    const next = waiting.shift();
    if (next) next(notice);
    else untaken.push(notice);
  }

  function answer({ url, body }: ReceivedRequest, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, 'https://x');
    if (pathname === '/_matrix/key/v2/server') answerKeys(response);
    else if (pathname === '/_matrix/federation/v1/openid/userinfo') {
      answerUserinfo(searchParams.get('access_token') ?? '', response);
    } else if (pathname === '/_matrix/federation/v1/3pid/onbind') answerOnbind(body, response);
    else answerJson(response, 404, { errcode: 'M_UNRECOGNIZED', error: 'Unrecognized request' });
  }

  const server = createServer(certificate, async (incoming, response) => {
    const { method = '', url = '', headers, socket } = incoming;
    const { servername } = socket as typeof socket & { servername?: string | false };
    const body = await read(incoming).catch(() => '');
    const request = { method, url, headers, body, sni: servername ?? false };
    requests.push(request);
    const script = [...scripts].find(([prefix]) => url.startsWith(prefix))?.[1];
    if (script === undefined || (await script(request, response)) === false) {
      answer(request, response);
    }
  });
  server.on('secureConnection', () => {
    connections++;
  });
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  serverName = `${host}:${port}`;

  return {
    port,
    serverName,
    reachable: 'ip.whitelist = 127.0.0.0/8, ::1\n',
    requests,
    onbinds,
    openIdTokens,
    get connections() {
      return connections;
    },
    nextOnbind: () =>
      new Promise((resolve) => {
        if (untaken.length > 0) resolve(untaken.shift());
        else waiting.push(resolve);
      }),
    script(prefix, script) {
      if (script === undefined) scripts.delete(prefix);
      else scripts.set(prefix, script);
    },
    scriptOnbind: (...statuses) => void onbindStatuses.push(...statuses),
    authorization(request) {
      const { method = 'POST', uri, content, destination = 'id.test', signed = {} } = request;
      const { destinationIn = ['destination_is'] } = request;
      const { signatures } = sign({
        method,
        uri,
        ...Object.fromEntries(destinationIn.map((member) => [member, destination])),
        origin: serverName,
        ...(content === undefined ? {} : { content }),
        ...signed,
      });
      const signature = signatures[serverName]?.[HOMESERVER_KEY_ID];
      return `X-Matrix origin="${serverName}",key="${HOMESERVER_KEY_ID}",sig="${signature}",destination="${destination}"`;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
