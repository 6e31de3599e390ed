import type { Invitations } from '../../../identity/invitations/invitations.ts';
import { endpoint } from '../../http/endpoint.ts';
import { text } from '../../http/fields.ts';
import { aBoolean, anObject } from '../../http/schema.ts';

/** `GET pubkey/ephemeral/isvalid`: whether a key belongs to an invitation, compared as given. */
export const pubkeyEphemeralIsValid = (invitations: Invitations) =>
  endpoint({
    method: 'GET',
    path: '/pubkey/ephemeral/isvalid',
    servlet: 'EphemeralPubkeyIsValidServlet',
    summary: 'Whether a key belongs to an invitation',
    answer: anObject({ valid: aBoolean }),
    fields: { public_key: text },
    changesOnGet: true,
    handle: async ({ public_key }) => ({
      valid: await invitations.isKeyValid(public_key),
    }),
  });
