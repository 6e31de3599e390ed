import type { Invitations } from '../../../identity/invitations/invitations.ts';
import type { ServerKeys } from '../../../identity/server-keys.ts';
import { preferredLanguage } from '../../../model/languages.ts';
import { endpoint } from '../../http/endpoint.ts';
import { mxid, roomId, text } from '../../http/fields.ts';
import { aList, anObject, aString } from '../../http/schema.ts';

export interface StoreInviteServices {
  readonly invitations: Invitations;
  readonly keys: ServerKeys;
  /** Where this server is to be found from outside. */
  readonly baseUrl: string;
}

/** `POST store-invite`: mails an invitation to an address that nobody has bound. */
export const storeInvite = ({ invitations, keys, baseUrl }: StoreInviteServices) =>
  endpoint({
    method: 'POST',
    path: '/store-invite',
    servlet: 'StoreInviteServlet',
    needs: 'accepted-terms',
    summary: 'Invite an address that nobody has bound, by mail',
    faults: [
      'address-in-use',
      'email-invalid',
      'email-not-sent',
      'limit-exceeded',
      'medium-unrecognised',
      'not-permitted',
      'parameter-invalid',
    ],
    answer: anObject({
      token: aString,
      public_key: aString,
      public_keys: aList(anObject({ public_key: aString, key_validity_url: aString })),
      display_name: aString,
    }),
    fields: { medium: text, address: text, room_id: roomId, sender: mxid },
    async handle(args, context, texts) {
      const { token, ephemeralKey, displayName } = await invitations.store({
        medium: args.medium,
        address: args.address,
        roomId: args.room_id,
        sender: args.sender,
        user: context.user,
        texts: texts(),
        brand: context.brand,
        language: preferredLanguage(context.acceptLanguage),
        caller: context.caller,
      });
      const version = context.version === 'v1' ? 'api/v1' : 'v2';
      const keyUrl = `${baseUrl}/_matrix/identity/${version}/pubkey`;
      return {
        token,
        public_key: keys.currentPublicKey,
        public_keys: [
          { public_key: keys.currentPublicKey, key_validity_url: `${keyUrl}/isvalid` },
          { public_key: ephemeralKey, key_validity_url: `${keyUrl}/ephemeral/isvalid` },
        ],
        display_name: displayName,
      };
    },
  });
