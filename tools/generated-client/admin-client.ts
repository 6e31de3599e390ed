import createClient from 'openapi-fetch';
import type { components, paths } from './admin-description.ts';

type Finding = components['schemas']['Finding'];

/** What a program of an operator could do with a client that is generated. */
export function createAdminClient(baseUrl: string, token: string) {
  const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${token}` } });

  return {
    /** What does not work, and what to do. */
    async problems(): Promise<readonly Finding[]> {
      const { data, error } = await client.GET('/_cognomen/admin/v1/doctor', {
        params: { query: { offline: true } },
      });
      if (error) throw new Error(`${error.errcode}: ${error.error}`);
      return data.findings.filter(({ state }) => state === 'problem');
    },

    /** All invitations to an address, page by page. */
    async invitations(address: string): Promise<readonly number[]> {
      const ids: number[] = [];
      for (let after: string | undefined; ; ) {
        const query = { address_or_mxid: address, limit: 1, ...(after && { after }) };
        const { data, error } = await client.GET('/_cognomen/admin/v1/invites/list', {
          params: { query },
        });
        if (error) throw new Error(error.error);
        ids.push(...data.items.map(({ id }) => id));
        if (data.next === undefined) return ids;
        after = data.next;
      }
    },

    /** Mails one once more; undefined where that was done, else why not. */
    async resend(id: number): Promise<string | undefined> {
      const { data, error } = await client.POST('/_cognomen/admin/v1/invites/resend', {
        body: { id_or_address: id },
      });
      return error ? error.errcode : data.not_sent[0]?.reason;
    },

    /** How many entries of the log each peer is still to be sent. */
    async backlogs(): Promise<Readonly<Record<string, number>>> {
      const { data } = await client.GET('/_cognomen/admin/v1/peers/status');
      return Object.fromEntries((data?.items ?? []).map(({ name, backlog }) => [name, backlog]));
    },
  };
}
