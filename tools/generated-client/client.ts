import createClient from 'openapi-fetch';
import type { components, paths } from './description.ts';

type Association = components['schemas']['SignedAssociation'];

/** What a program of somebody else could do with a client that is generated. */
export function createIdentityClient(baseUrl: string, token: string) {
  const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });

  return {
    /** Whose addresses these are. */
    async lookUp(addresses: string[]): Promise<Readonly<Record<string, string>>> {
      const details = await client.GET('/_matrix/identity/v2/hash_details');
      if (details.error) throw new Error(details.error.error);
      const { data, error } = await client.POST('/_matrix/identity/v2/lookup', {
        body: { addresses, algorithm: 'none', pepper: details.data.lookup_pepper },
      });
      if (data) return data.mappings;
      throw new Error(`${error.errcode}: ${error.error}`);
    },

    /** What is known of an address, signed. */
    async find(address: string): Promise<Association | undefined> {
      const { data } = await client.GET('/_matrix/identity/api/v1/lookup', {
        params: { query: { medium: 'email', address } },
      });
      return data && 'mxid' in data ? (data as Association) : undefined;
    },

    /** How the server refuses a key that it does not have. */
    async refusalOfKey(keyId: string): Promise<'M_NOT_FOUND' | 'M_INVALID_PARAM' | undefined> {
      const { error, response } = await client.GET('/_matrix/identity/v2/pubkey/{keyId}', {
        params: { path: { keyId } },
      });
      if (response.status !== 404 || error === undefined || error.errcode === 'M_UNKNOWN') {
        return undefined;
      }
      return error.errcode;
    },
  };
}
