import { once } from 'node:events';
import { createServer, type ServerOptions } from 'node:https';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** A homeserver with one user, just large enough to vouch for them and to be told of invitations. */
export interface DemoHomeserver {
  readonly mxid: string;
  /** What it gives its user for the identity server (Client-Server API, "OpenID"). */
  readonly openId: object;
  /** While it is away, it takes no invitations. */
  isAway: boolean;
  close(): Promise<void>;
}

export interface DemoHomeserverOptions {
  readonly user: string;
  /** Key and certificate for localhost. */
  readonly tls: Pick<ServerOptions, 'key' | 'cert'>;
  /** Called with what the identity server tells of bindings: the body of `3pid/onbind`. */
  readonly onBound: (notice: unknown) => void;
}

const USERINFO = '/_matrix/federation/v1/openid/userinfo';
const ONBIND = '/_matrix/federation/v1/3pid/onbind';

export async function startHomeserver(options: DemoHomeserverOptions): Promise<DemoHomeserver> {
  const { user, tls, onBound } = options;
  const token = `a-token-of-${user}`;
  const server = createServer(tls, async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://localhost');
    const answer = (status: number, content: object) =>
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(JSON.stringify(content));
    if (pathname === USERINFO && searchParams.get('access_token') === token) {
      return answer(200, { sub: homeserver.mxid });
    }
    if (pathname !== ONBIND) return answer(404, { errcode: 'M_NOT_FOUND' });
    if (homeserver.isAway) return answer(503, { errcode: 'M_UNKNOWN' });
    onBound(await json(request));
    return answer(200, {});
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const serverName = `localhost:${(server.address() as AddressInfo).port}`;
  const homeserver: DemoHomeserver = {
    mxid: `@${user}:${serverName}`,
    openId: {
      access_token: token,
      token_type: 'Bearer',
      matrix_server_name: serverName,
      expires_in: 3600,
    },
    isAway: false,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
  return homeserver;
}
