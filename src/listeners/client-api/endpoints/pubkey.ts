import type { ServerKeys } from '../../../identity/server-keys.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { ApiError } from '../../frame/errors.ts';

/** `GET pubkey/{keyId}`: one of this server's long-term keys. */
export const pubkey = (keys: ServerKeys) =>
  endpoint({
    method: 'GET',
    path: '/pubkey/:keyId',
    servlet: 'Ed25519Servlet',
    fields: {},
    handle(_args, { pathParameters }) {
      const publicKey = keys.publicKey(pathParameters['keyId'] ?? '');
      if (publicKey === undefined) {
        throw new ApiError(404, 'M_NOT_FOUND', 'This server has no key with this id');
      }
      return { public_key: publicKey };
    },
  });
