import { describe, expect, test } from 'vitest';
import { createDatabase, ENGINES } from '../support/databases.ts';
import {
  beginBeside,
  bindEmail,
  fillAsSydent,
  hashDetails,
  lookUp,
  unbindEmail,
} from '../support/peppers.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const FILLED = 20_000;
const CALLERS = 4;
const ROTATIONS = 2;

describe.each(ENGINES)('rotations under load, on %s,', (engine) => {
  test('give no wrong answer, whatever pepper is named to whichever node', async () => {
    const database = await createDatabase(engine);
    const options = { engine, database };
    const first = await startTestServer(options);
    await first.app.close();
    await fillAsSydent(database, FILLED);
    await first.restart();
    // SQLite has one server on a file.
    const servers = engine === 'sqlite' ? [first] : [first, await startTestServer(options)];
    const token = await first.token('@asks:sample.test');
    const any = () => servers[Math.floor(Math.random() * servers.length)] as TestServer;

    // Whatever was announced anywhere works everywhere: the grace is longer than this.
    const announced = new Set<string>();
    const wrong: unknown[] = [];
    let isOver = false;
    let [answers, turns] = [0, 0];
    const expectUser = async (address: string, user: string) => {
      for (const pepper of announced) {
        const found = await lookUp(any(), token, address, pepper);
        answers++;
        if (found !== user) wrong.push({ address, user, found, announced: [...announced] });
      }
    };
    const caller = async (name: number) => {
      const kept = new Map<string, string>();
      for (let turn = 0; !isOver; turn++, turns++) {
        const details = await hashDetails(any(), token);
        for (const pepper of [details.lookup_pepper, ...(details.alt_lookup_peppers ?? [])]) {
          announced.add(pepper);
        }
        const address = `caller${name}-${turn % 8}@sample.test`;
        // Bound in an earlier phase, perhaps.
        const [earlier] = kept;
        if (earlier !== undefined) await expectUser(...earlier);
        kept.delete(address);
        const user = `@u${turn}:sample.test`;
        await bindEmail(any(), address, user);
        await expectUser(address, user);
        const filled = 1 + Math.floor(Math.random() * FILLED);
        await expectUser(`user${filled}@sample.test`, `@user${filled}:sample.test`);
        kept.set(address, user);
        if (turn % 2 === 0) continue;
        kept.delete(address);
        await unbindEmail(any(), address, user);
        await expectUser(address, 'nobody');
      }
    };

    const callers = Array.from({ length: CALLERS }, (_, name) => caller(name));
    for (let rotation = 1; rotation <= ROTATIONS; rotation++) {
      expect((await beginBeside(first.config.db)).outcome).toBe('begun');
      await expect.poll(() => announced.size, { timeout: 100_000 }).toBe(1 + rotation);
    }
    isOver = true;
    await Promise.all(callers);
    expect(wrong).toEqual([]);
    expect(turns).toBeGreaterThan(CALLERS);
    expect(answers).toBeGreaterThan(turns);
    // Each key has a hash by each pepper of its own, and no other hash is there.
    const [keys] = await database.execute('select count(*) as count from cognomen_lookup_keys');
    const hashes = (await database.execute(
      'select count(*) as count from cognomen_rotated_keys group by pepper',
    )) as { count: unknown }[];
    expect(hashes).toEqual(Array(ROTATIONS).fill(keys));
    for (const server of servers) await server.stop();
    await database.drop();
  });
});
