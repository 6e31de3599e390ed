import type { ServerKeys } from '../../../identity/server-keys.ts';
import { IdentityError } from '../../../model/errors.ts';
import { endpoint } from '../../http/endpoint.ts';
import { anObject, aString } from '../../http/schema.ts';

/** `GET pubkey/{keyId}`: one of this server's long-term keys. */
export const pubkey = (keys: ServerKeys) =>
  endpoint({
    method: 'GET',
    path: '/pubkey/:keyId',
    servlet: 'Ed25519Servlet',
    summary: 'One of this server’s long-term keys',
    faults: ['key-unknown'],
    answer: anObject({ public_key: aString }),
    fields: {},
    handle(_args, { pathParameters }) {
      const publicKey = keys.publicKey(pathParameters['keyId'] ?? '');
      if (publicKey === undefined) {
        throw new IdentityError('key-unknown', 'This server has no key with this id');
      }
      return { public_key: publicKey };
    },
  });
