import type { EphemeralKeyStore } from '../../../storage/stores.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { text } from '../../frame/fields.ts';

/** `GET pubkey/ephemeral/isvalid`: whether a key belongs to an invitation, compared as given. */
export const pubkeyEphemeralIsValid = (ephemeralKeys: EphemeralKeyStore) =>
  endpoint({
    method: 'GET',
    path: '/pubkey/ephemeral/isvalid',
    servlet: 'EphemeralPubkeyIsValidServlet',
    fields: { public_key: text },
    changesOnGet: true,
    handle: async ({ public_key }) => ({
      valid: await ephemeralKeys.countVerification(public_key),
    }),
  });
