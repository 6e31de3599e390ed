import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import { ENGINES } from '../support/databases.ts';
import { createReplicatingProcess } from '../support/replicating-process.ts';
import {
  certificateFolder,
  newSigningKey,
  type ReplicatingServer,
  rawPush,
  signedAssociation,
  startReplicatingServer,
} from '../support/replicating-servers.ts';
import { startTestServer } from '../support/server.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

describe('the command line', () => {
  let ca: TestCa;
  let server: ReplicatingServer;

  beforeAll(async () => {
    ca = await createTestCa();
    server = await startReplicatingServer(ca, 'a.test');
  });
  afterAll(async () => {
    await server?.stop();
    await ca?.remove();
  });

  /** As `cognomen peers` beside the server, but in this process. */
  const peers = (...args: string[]) =>
    runCommand('peers', ...args, '-c', server.config.files[0] ?? '');

  test('peers are taken in and out by command', async () => {
    const { publicKey } = newSigningKey();
    const hex = Buffer.from(newSigningKey().pair.publicKey).toString('hex');
    const add = ['add', 'C.test', '--key', publicKey, '--key', hex, '--port', '1234'];
    expect(await peers(...add)).toEqual({ status: 0, output: 'C.test added\n' });
    expect(await peers('add', 'c.test', '--key', publicKey)).toMatchObject({
      output: 'C.test changed\n',
    });
    expect(await peers('disable', 'c.test')).toMatchObject({ output: 'C.test disabled\n' });
    expect((await peers('list')).output).toMatch(
      /^C\.test {2}inactive {2}https:\/\/C\.test:1001\/_matrix.*\n {2}key \S+\n$/,
    );
    expect(await peers('enable', 'C.test')).toMatchObject({ output: 'C.test enabled\n' });
    expect(await peers('remove', 'c.test')).toMatchObject({ output: 'C.test removed\n' });
    expect((await peers('list')).output).not.toContain('C.test');
  });

  test('a row made by hand is changed, whatever the case of its name', async () => {
    await server.database.execute('insert into peers (name, active) values (?, 0)', ['Hand.test']);
    const { publicKey } = newSigningKey();
    expect(await peers('add', 'hand.test', '--key', publicKey)).toMatchObject({
      output: 'Hand.test changed\n',
    });
    expect(await peers('enable', 'HAND.test')).toMatchObject({ output: 'Hand.test enabled\n' });
    expect(await peers('remove', 'hand.test')).toMatchObject({ output: 'Hand.test removed\n' });
  });

  test.each(['remove', 'enable', 'disable'])(
    '%s finds no peer that there is not',
    async (action) => {
      expect(await peers(action, 'nobody.test')).toEqual({
        status: 1,
        output: 'there is no such peer\n',
      });
    },
  );

  test.each([
    [[], /peers add NAME/],
    [['dance'], /peers add NAME/],
    [['list', 'too', 'much'], /peers list takes no further argument/],
    [['add', 'c.test'], /--key is missing/],
    [['add', 'c.test', '--key', 'short'], /not an ed25519 public key/],
    [['add', 'not a name', '--key', 'x'], /not a server name/],
    [['add', 'a.test', '--key', 'x'], /this server itself/],
    [['add', 'A.test', '--key', 'x'], /this server itself/],
    [['add', 'c.test', '--key', 'A'.repeat(43), '--port', '70000'], /not a port/],
    [['add', 'c.test', '--key', 'A'.repeat(43), '--url', 'http://c.test'], /https:\/\//],
  ])('peers %j is refused, with what is wrong', async (args, message) => {
    const { status, output } = await peers(...args);
    expect(output).toMatch(message);
    expect(status).toBe(2);
  });
});

describe.each(ENGINES)('peers status, on %s,', (engine) => {
  test('tells what came from each, what was refused by which rule, and what keeps it from working', async () => {
    const ca = await createTestCa();
    const server = await startReplicatingServer(ca, 'a.test', { engine });
    const certificate = await certificateFolder(ca, 'b.test');
    const [key, other] = [newSigningKey(), newSigningKey()];
    const command = (...args: string[]) =>
      runCommand('peers', ...args, '-c', server.config.files[0] ?? '');
    const status = async () => JSON.parse((await command('status', '--json')).output)[0];
    const tls = {
      url: server.replicationUrl,
      ca: ca.pem,
      cert: certificate.cert,
      key: certificate.key,
    };
    const push = (...associations: object[]) =>
      rawPush({
        ...tls,
        body: JSON.stringify({
          sgAssocs: Object.fromEntries(associations.map((one, index) => [index + 1, one])),
        }),
      });
    const peer = { name: 'b.test', pair: key.pair };
    try {
      await command(
        'add',
        'b.test',
        '--key',
        key.publicKey,
        '--url',
        'https://ada:secret@127.0.0.1:1',
      );
      expect(await status()).toMatchObject({
        url: 'https://127.0.0.1:1/_matrix/identity/replicate/v1/push',
        received: {},
        warnings: [],
      });
      await push(
        signedAssociation(peer, { address: 'one@sample.test' }),
        signedAssociation(peer, { address: 'two@sample.test' }),
        signedAssociation(peer, { address: 'odd@sample.test', ts: 'soon' }),
      );
      expect(await status()).toMatchObject({
        received: { bound: { count: 2 }, malformed: { count: 1 } },
        warnings: [],
      });
      server.clock.advance(1000);
      const forged = signedAssociation({ name: 'b.test', pair: other.pair });
      for (let time = 0; time < 2; time++)
        expect(await push(forged)).toMatchObject({ status: 400 });
      const refused = await status();
      expect(refused).toMatchObject({ received: { bound: { count: 2 }, signature: { count: 2 } } });
      expect(refused.warnings).toEqual([
        expect.stringContaining('none of its keys on file has signed it'),
      ]);
      const { output } = await command('status');
      expect(output).toContain('  received: 2 refused: not signed by a key on file, the last ');
      expect(output).not.toContain('secret');
      server.clock.advance(1000);
      await push(signedAssociation(peer, { address: 'three@sample.test' }));
      expect((await status()).warnings).toEqual([]);
      await command('remove', 'b.test');
      await command('add', 'b.test', '--key', key.publicKey);
      expect((await status()).received).toEqual({});
    } finally {
      await server.stop();
      await certificate.remove();
      await ca.remove();
    }
  });
});

test('an active peer without a certificate of this server is told of as one that cannot work', async () => {
  const server = await startTestServer();
  const file = server.config.files[0] ?? '';
  await runCommand('peers', 'add', 'b.test', '--key', newSigningKey().publicKey, '-c', file);
  const status = async () => (await runCommand('peers', 'status', '-c', file)).output;
  expect(await status()).toContain('problem: peer b.test: this server has no certificate');
  await runCommand('peers', 'disable', 'b.test', '-c', file);
  expect(await status()).not.toContain('problem');
  await server.stop();
});

test('peers are looked after only in a database that the server has used', async () => {
  const ca = await createTestCa();
  const server = await createReplicatingProcess(ca, 'fresh.test');
  expect(await server.peers('list')).toMatchObject({
    status: 1,
    output: expect.stringContaining('start the server once first'),
  });
  await server.remove();
  await ca.remove();
});
