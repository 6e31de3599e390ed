import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { invite } from '../support/invitations.ts';
import { bind, introduce, lookup, type MeshServer, startMeshServer } from '../support/mesh.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

describe.each(ENGINES)(
  'an invitation on one server, of an address bound on another, %s',
  (engine) => {
    let ca: TestCa;
    let hs: TestHomeserver;
    let inviting: MeshServer;
    let binding: MeshServer;

    beforeAll(async () => {
      ca = await createTestCa();
      hs = await startHomeserver({ ca });
      const general = hs.reachable;
      inviting = await startMeshServer(ca, 'inviting.test', { engine, general });
      binding = await startMeshServer(ca, 'binding.test', { engine, general });
      await introduce(binding, inviting);
      await introduce(inviting, binding);
    });
    afterAll(async () => {
      await binding.stop();
      await inviting.stop();
      await hs.close();
      await ca.remove();
    });

    test('is delivered by the one that has it, once the binding has come over', async () => {
      const { token } = await invite(inviting, 'Grace@sample.test');
      const mxid = `@grace:${hs.serverName}`;
      const bound = await bind(binding, 'grace@sample.test', mxid);
      await bind(binding, 'nobody@sample.test', `@nobody:${hs.serverName}`);
      expect(bound.json).not.toHaveProperty('invites');
      await expect.poll(() => hs.onbinds.length).toBe(3);
      const bySigner = (name: string) => hs.onbinds.filter(({ signatures }) => signatures[name]);
      const [delivered, ...others] = bySigner('inviting.test');
      expect(others).toEqual([]);
      expect(delivered).toMatchObject({ mxid, ts: bound.json.ts, invites: [{ token, mxid }] });
      expect(Object.keys(delivered.invites[0].signed.signatures)).toEqual(['inviting.test']);
      for (const notice of bySigner('binding.test')) expect(notice.invites).toEqual([]);
      expect(await lookup(inviting, 'grace@sample.test')).not.toHaveProperty('invites');
    });

    test('is delivered though the clock there is ahead', async () => {
      await invite(inviting, 'ahead@sample.test');
      binding.clock.advance(5000);
      const mxid = `@ahead:${hs.serverName}`;
      await bind(binding, 'ahead@sample.test', mxid);
      const delivered = () =>
        hs.onbinds.filter((notice) => notice.mxid === mxid && notice.signatures['inviting.test']);
      await expect.poll(() => delivered().length).toBe(1);
    });
  },
);
