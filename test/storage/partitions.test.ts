import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { bind } from '../support/invitations.ts';
import { probesOf } from '../support/probes.ts';
import { lookup, unbind } from '../support/replicating-servers.ts';
import { startTestServer } from '../support/server.ts';

const SCALING = path.join(import.meta.dirname, '../../docs/scaling.md');

test.runIf(ENGINES.includes('postgres'))(
  'keys of lookups in partitions, as docs/scaling.md makes them, are found, added and deleted as before',
  async () => {
    const server = await startTestServer({ engine: 'postgres' });
    try {
      const token = await server.token('@asks:sample.test');
      const { found } = probesOf(
        () => server,
        () => token,
      );
      for (const name of ['ada', 'bob']) {
        await bind(server, `${name}@sample.test`, `@${name}:sample.test`);
      }
      const recipe = /```sql\n(.*?)```/s.exec(await readFile(SCALING, 'utf8'))?.[1] ?? '';
      await server.database.execute(recipe);
      const parts = await server.database.execute(
        "select inhrelid from pg_inherits where inhparent = 'cognomen_lookup_keys'::regclass",
      );
      expect(parts).toHaveLength(16);
      // With the statements that are prepared already, and with those of another start.
      for (const name of ['eve', 'joe']) {
        await bind(server, `${name}@sample.test`, `@${name}:sample.test`);
        expect(await found('ada', name)).toEqual(['ada', name]);
        await bind(server, 'ada@sample.test', `@${name}:sample.test`);
        expect(await lookup(server, 'ada@sample.test')).toMatchObject({
          mxid: `@${name}:sample.test`,
        });
        await server.restart();
      }
      await unbind(server, 'bob@sample.test', '@bob:sample.test');
      expect((await found('ada', 'bob', 'eve', 'joe')).sort()).toEqual(['ada', 'eve', 'joe']);
      const keys = await server.database.execute(
        'select 1 from cognomen_lookup_keys where global_id not in (select id from global_threepid_associations)',
      );
      expect(keys).toEqual([]);
    } finally {
      await server.stop();
    }
  },
);
