import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENGINES } from '../support/databases.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { invite } from '../support/invitations.ts';
import {
  bind,
  introduce,
  lookup,
  type ReplicatingServer,
  startReplicatingServer,
  unbind,
} from '../support/replicating-servers.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const ONBIND = '/_matrix/federation/v1/3pid/onbind';

describe.each(ENGINES)(
  'an invitation on one server, of an address bound on another, %s',
  (engine) => {
    let ca: TestCa;
    let hs: TestHomeserver;
    let inviting: ReplicatingServer;
    let binding: ReplicatingServer;

    beforeAll(async () => {
      ca = await createTestCa();
      hs = await startHomeserver({ ca });
      const general = hs.reachable;
      inviting = await startReplicatingServer(ca, 'inviting.test', { engine, general });
      binding = await startReplicatingServer(ca, 'binding.test', { engine, general });
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

    /** An invitation on the one, the address bound on the other, and a homeserver that takes neither's word. */
    async function owedInVain(address: string, mxid: string) {
      const { token } = await invite(inviting, address);
      let asked = 0;
      hs.script(ONBIND, (_request, response) => {
        asked++;
        answerJson(response, 503, {});
      });
      await bind(binding, address, mxid);
      // By each of the two.
      await expect.poll(() => asked).toBe(2);
      hs.script(ONBIND, undefined);
      return token;
    }
    const owedBy = async (server: ReplicatingServer, address: string) =>
      (await server.database.execute('select 1 from cognomen_notices where address = ?', [address]))
        .length;
    const toldOf = (mxid: string) =>
      hs.onbinds.filter((notice) => notice.mxid === mxid).map(({ signatures }) => signatures);
    const moving = (reached: () => Promise<boolean>) =>
      expect
        .poll(async () => {
          if (await reached()) return true;
          for (const server of [inviting, binding]) server.clock.advance(60_000);
          return false;
        })
        .toBe(true);

    test('is not delivered for a binding that the other took back, but for the next', async () => {
      const [address, mxid] = ['back@sample.test', `@back:${hs.serverName}`];
      const token = await owedInVain(address, mxid);
      await unbind(binding, address, mxid);
      await expect.poll(() => owedBy(inviting, address)).toBe(0);
      expect(await owedBy(binding, address)).toBe(0);
      const heir = `@heir:${hs.serverName}`;
      await bind(binding, address, heir);
      await moving(async () => toldOf(heir).some((signatures) => signatures['inviting.test']));
      expect(toldOf(mxid)).toEqual([]);
      const delivered = hs.onbinds.find(
        (notice) => notice.mxid === heir && notice.signatures['inviting.test'],
      );
      expect(delivered).toMatchObject({ invites: [{ token }] });
    });

    test('goes to the newer user when the other bound the address anew', async () => {
      const [address, mxid] = ['anew@sample.test', `@former:${hs.serverName}`];
      const token = await owedInVain(address, mxid);
      const heir = `@newer:${hs.serverName}`;
      hs.script(ONBIND, (_request, response) => answerJson(response, 503, {}));
      await bind(binding, address, heir);
      const owed = () =>
        inviting.database.execute('select association from cognomen_notices where address = ?', [
          address,
        ]);
      await expect.poll(owed).toEqual([{ association: expect.stringContaining(heir) }]);
      hs.script(ONBIND, undefined);
      await moving(async () => toldOf(heir).some((signatures) => signatures['inviting.test']));
      expect(toldOf(mxid)).toEqual([]);
      expect(hs.onbinds.flatMap(({ invites }) => invites).at(-1)).toMatchObject({ token });
    });

    test('takes back what this server still owed for a binding of its own that is older', async () => {
      const [address, mxid] = ['own@sample.test', `@own:${hs.serverName}`];
      hs.script(ONBIND, (_request, response) => answerJson(response, 503, {}));
      await bind(inviting, address, mxid);
      await expect.poll(() => owedBy(inviting, address)).toBe(1);
      binding.clock.advance(10_000);
      await bind(binding, address, `@theirs:${hs.serverName}`);
      await expect.poll(() => owedBy(inviting, address)).toBe(0);
      hs.script(ONBIND, undefined);
      await moving(async () => toldOf(`@theirs:${hs.serverName}`).length > 0);
      expect(toldOf(mxid)).toEqual([]);
    });
  },
);
