import { expect, test } from 'vitest';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import { ENGINES } from '../support/databases.ts';
import { get, postJson } from '../support/http.ts';
import { startTestServer } from '../support/server.ts';

const USER = '@ada:sample.test';
const ADDRESS = 'ada@sample.test';

test.each(ENGINES)(
  'an association is found from not_before on and until not_after, on %s',
  async (engine) => {
    const server = await startTestServer({ engine });
    const root = `${server.url}/_matrix/identity`;
    const bound = await postJson(`${server.internalUrl}/_matrix/identity/internal/bind`, {
      medium: 'email',
      address: ADDRESS,
      mxid: USER,
    });
    expect(bound.status).toBe(200);
    const token = await server.token('@grace:sample.test');
    const { lookup_pepper: pepper } = (await get(`${root}/v2/hash_details`, {}, token)).json;
    const hash = lookupHash(ADDRESS, 'email', pepper);

    /** Whom each way of asking finds. */
    const found = async () => {
      const one = await get(`${root}/api/v1/lookup`, { medium: 'email', address: ADDRESS });
      const many = await postJson(`${root}/api/v1/bulk_lookup`, {
        threepids: [['email', ADDRESS]],
      });
      const query = { algorithm: 'sha256', pepper, addresses: [hash] };
      const mapped = await postJson(`${root}/v2/lookup`, query, token);
      const invited = await postJson(`${root}/api/v1/store-invite`, {
        medium: 'email',
        address: ADDRESS,
        room_id: '!tea:sample.test',
        sender: USER,
      });
      return [
        one.json.mxid,
        many.json.threepids[0]?.[2],
        mapped.json.mappings[hash],
        invited.json.mxid,
      ];
    };
    const everywhere = [USER, USER, USER, USER];
    const nowhere = [undefined, undefined, undefined, undefined];
    expect(await found()).toEqual(everywhere);

    const from = server.clock.now() + 1000;
    await server.database.execute(
      'update global_threepid_associations set "notBefore" = ?, "notAfter" = ?',
      [from, from + 1000],
    );
    expect(await found()).toEqual(nowhere);
    server.clock.advance(999);
    expect(await found()).toEqual(nowhere);
    server.clock.advance(1);
    expect(await found()).toEqual(everywhere);
    server.clock.advance(999);
    expect(await found()).toEqual(everywhere);
    server.clock.advance(1);
    expect(await found()).toEqual(nowhere);
    // As an operator may, in the table that was Sydent's.
    await server.database.execute('update global_threepid_associations set "notAfter" = ?', [
      from + 5000,
    ]);
    expect(await found()).toEqual(everywhere);
    await server.database.execute('delete from global_threepid_associations');
    expect(await found()).toEqual(nowhere);
    await server.stop();
  },
);
