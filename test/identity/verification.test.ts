import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createServerKeys } from '../../src/identity/server-keys.ts';
import { FAULTS } from '../../src/identity/verification/findings.ts';
import { verifyAssociations } from '../../src/identity/verification/verification.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { createProgress } from '../../src/platform/progress.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import { ENGINES } from '../support/databases.ts';
import { bind, lookup, unbind } from '../support/replicating-servers.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const ADA = ['ada@sample.test', '@ada:sample.test'] as const;
const GRACE = ['grace@sample.test', '@grace:sample.test'] as const;
const logger = pino({ enabled: false });
const progress = createProgress({ logger, clock: systemClock });

describe.each(ENGINES)('verification beside a server that goes on, on %s,', (engine) => {
  let server: TestServer;
  let storage: Awaited<ReturnType<typeof openForCommand>>;

  beforeEach(async () => {
    server = await startTestServer({ engine });
    storage = await openForCommand(server.config.db, logger);
    await bind(server, ...ADA);
    await bind(server, ...GRACE);
  });
  afterEach(async () => {
    await storage?.close();
    await server?.stop();
  });

  /** Verifies; between its reads of associations and of their keys something happens. */
  async function verifyWhile(happens: () => Promise<unknown>) {
    const real = storage.stores.verification;
    const stores = {
      ...storage.stores,
      verification: {
        ...real,
        async associationsAfter(id: number, limit: number) {
          const rows = await real.associationsAfter(id, limit);
          await happens();
          const now = await real.associations(rows.map((row) => row.id));
          return rows.map((row) => ({
            ...row,
            keys: now.find((other) => other.id === row.id)?.keys ?? [],
          }));
        },
      },
    };
    const keys = createServerKeys(server.config.general.serverName, server.config.crypto);
    const { findings } = await verifyAssociations(
      { storage: { ...storage, stores }, keys, progress },
      { repair: true },
    );
    return FAULTS.flatMap((fault) => findings.of(fault) ?? []);
  }

  test('takes nothing for a fault that is taken back meanwhile, and leaves it so', async () => {
    expect(await verifyWhile(() => unbind(server, ...ADA))).toEqual([]);
    expect((await lookup(server, ADA[0])).mxid).toBeUndefined();
    expect((await lookup(server, GRACE[0])).mxid).toBe(GRACE[1]);
    expect(await server.database.execute('select * from cognomen_lookup_keys')).toHaveLength(1);
  });

  test('nor what is bound anew', async () => {
    expect(await verifyWhile(() => bind(server, ADA[0], '@other:sample.test'))).toEqual([]);
    expect((await lookup(server, ADA[0])).mxid).toBe('@other:sample.test');
  });

  test('repairs so that a lookup finds it again', async () => {
    await server.database.execute('delete from cognomen_lookup_keys');
    expect((await lookup(server, ADA[0])).mxid).toBeUndefined();
    expect(await verifyWhile(async () => {})).toMatchObject([{ count: 2 }]);
    expect((await lookup(server, ADA[0])).mxid).toBe(ADA[1]);
  });
});
