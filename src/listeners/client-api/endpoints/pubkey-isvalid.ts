import type { ServerKeys } from '../../../identity/server-keys.ts';
import { endpoint } from '../../http/endpoint.ts';
import { text } from '../../http/fields.ts';
import { aBoolean, anObject } from '../../http/schema.ts';

/** `GET pubkey/isvalid`: whether a key is one of this server's long-term ones. */
export const pubkeyIsValid = (keys: ServerKeys) =>
  endpoint({
    method: 'GET',
    path: '/pubkey/isvalid',
    servlet: 'PubkeyIsValidServlet',
    summary: 'Whether a key is one of this server’s',
    answer: anObject({ valid: aBoolean }),
    fields: { public_key: text },
    handle: ({ public_key }) => ({ valid: keys.isValid(public_key) }),
  });
