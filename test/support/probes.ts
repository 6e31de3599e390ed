import { get, postJson } from './http.ts';
import type { TestServer } from './server.ts';

const V2 = '/_matrix/identity/v2';

/** What a server is asked while something that it needs is away. */
export function probesOf(server: () => TestServer, token: () => string) {
  const addressOf = (name: string) => `${name}@sample.test`;
  return {
    /** Something that writes. */
    bind: (name: string) =>
      postJson(`${server().internalUrl}/_matrix/identity/internal/bind`, {
        medium: 'email',
        address: addressOf(name),
        mxid: '@ada:sample.test',
      }),
    /** Something that only reads. */
    account: () => get(`${server().url}${V2}/account`, {}, token()),
    health: () => get(`${server().url}/health`),
    /** Which of these have been bound, as lookups tell. */
    async found(...names: string[]): Promise<string[]> {
      const { json: details } = await get(`${server().url}${V2}/hash_details`, {}, token());
      const addresses = names.map((name) => `${addressOf(name)} email`);
      const query = { addresses, algorithm: 'none', pepper: details.lookup_pepper };
      const { json } = await postJson(`${server().url}${V2}/lookup`, query, token());
      return Object.keys(json.mappings).map((address) => address.split('@')[0] ?? '');
    },
    /** The lines of the log that hold the text. */
    lines: (text: string) => server().logs.filter((line) => line.includes(text)),
  };
}
