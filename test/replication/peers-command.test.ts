import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { runCommand } from '../support/commands.ts';
import { createReplicatingProcess } from '../support/replicating-process.ts';
import {
  newSigningKey,
  type ReplicatingServer,
  startReplicatingServer,
} from '../support/replicating-servers.ts';
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

  test.each([
    [['remove', 'nobody.test'], /no peer nobody\.test/],
    [['enable', 'nobody.test'], /no peer nobody\.test/],
    [[], /peers add NAME/],
    [['dance'], /peers add NAME/],
    [['list', 'too', 'much'], /peers add NAME/],
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
