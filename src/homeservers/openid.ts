import type { Caller } from '../identity/limits/charges.ts';
import type { HomeserverRequests } from '../identity/limits/homeserver-requests.ts';
import { IdentityError } from '../model/errors.ts';
import { parseMxid } from '../model/mxid.ts';
import { isReachableName } from '../model/server-name.ts';
import type { OutboundAnswer } from '../platform/outbound/outbound.ts';
import { type AskNamed, nonsense } from './failures.ts';
import type { FederationClient } from './federation-client.ts';
import { jsonObject } from './json.ts';
import type { HomeserverTimings } from './timings.ts';

/**
 * Whose OpenID token of that homeserver it is: an mxid of the homeserver (specification, "OpenID").
 * @param serverName in any case; it is asked for in lower case.
 * @param caller who names it
 * @throws IdentityError `parameter-invalid` for what is not a server name, `token-unknown` when the homeserver does
 * not know the token, `homeserver-failed`, `overloaded`, `limit-exceeded`
 */
export type OpenIdUser = (serverName: string, token: string, caller: Caller) => Promise<string>;

const PATH = '/_matrix/federation/v1/openid/userinfo';
const MAX_BYTES = 5 * 1024;

function userIn({ status, body }: OutboundAnswer, serverName: string): string {
  if (status === 401 || status === 403) {
    throw new IdentityError('token-unknown', `${serverName} does not accept the OpenID token`);
  }
  if (status !== 200) {
    throw nonsense(
      `${serverName} answered with status ${status} when asked about the OpenID token`,
    );
  }
  const sub = jsonObject(body)?.['sub'];
  const mxid = typeof sub === 'string' ? parseMxid(sub) : undefined;
  if (typeof sub !== 'string' || mxid === undefined) {
    throw nonsense(`${serverName} did not answer with a Matrix user id`);
  }
  if (mxid.serverName !== serverName) {
    throw nonsense(`${serverName} answered with a user who is not of that homeserver`);
  }
  return sub;
}

export interface OpenIdUserDependencies {
  readonly federation: FederationClient;
  readonly askNamed: AskNamed;
  readonly requests: HomeserverRequests;
  readonly timings: Pick<HomeserverTimings, 'login'>;
}

export function createOpenIdUser(deps: OpenIdUserDependencies): OpenIdUser {
  const { federation, askNamed, requests, timings } = deps;
  return async (given, token, caller) => {
    const serverName = given.toLowerCase();
    if (!isReachableName(serverName)) {
      throw new IdentityError(
        'parameter-invalid',
        'matrix_server_name must be a host name or IP address, with or without a port',
      );
    }
    if (!token.isWellFormed()) {
      throw new IdentityError('parameter-invalid', 'access_token is not well-formed Unicode');
    }
    const path = `${PATH}?access_token=${encodeURIComponent(token)}`;
    const ask = () =>
      federation.request({
        method: 'GET',
        serverName,
        path,
        room: 'logins',
        time: timings.login,
        maxBytes: MAX_BYTES,
      });
    const answer = await requests.run(serverName, caller, () => askNamed(serverName, ask));
    return userIn(answer, serverName);
  };
}
