import { once } from 'node:events';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { generate } from 'selfsigned';

/** A homeserver just large enough to say whose an OpenID token is. */
export interface DemoHomeserver {
  /** What it gives its user for the identity server (Client-Server API, "OpenID"). */
  readonly openId: object;
  close(): Promise<void>;
}

const OPENID_TOKEN = 'a-token-of-the-demo';

export async function startHomeserver(): Promise<DemoHomeserver> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }]);
  let serverName = '';
  const server = createServer({ key, cert }, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'https://localhost');
    const known =
      pathname === '/_matrix/federation/v1/openid/userinfo' &&
      searchParams.get('access_token') === OPENID_TOKEN;
    response
      .writeHead(known ? 200 : 404, { 'content-type': 'application/json' })
      .end(JSON.stringify(known ? { sub: `@visitor:${serverName}` } : { errcode: 'M_NOT_FOUND' }));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  serverName = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    openId: {
      access_token: OPENID_TOKEN,
      token_type: 'Bearer',
      matrix_server_name: serverName,
      expires_in: 3600,
    },
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
