import pino from 'pino';
import { expect, test } from 'vitest';
import { createServerKeys } from '../../src/identity/server-keys.ts';
import { createKeyOnFile } from '../../src/replication/key-on-file.ts';
import type { PushAnswer } from '../../src/replication/peer-client.ts';

const entries = Array.from({ length: 1000 }, (_, index) => ({
  id: index + 1,
  medium: 'email',
  address: `${'a'.repeat(280)}${index}@sample.test`,
  mxid: '@ada:sample.test',
  ts: 1,
  notBefore: 1,
  notAfter: 2,
  lookupHash: 'x',
}));

test('a push signed anew by a key with a longer id may hold fewer entries, and says which', async () => {
  const key = (version: string, byte: number) => ({ version, seed: new Uint8Array(32).fill(byte) });
  const keys = createServerKeys('id.test', {
    signingKey: key('longer', 1),
    oldSigningKeys: [key('0', 2)],
    oldKeys: [],
  });
  const keyOnFile = createKeyOnFile('peer.test', { keys, logger: pino({ level: 'silent' }) });
  let takes = '0';
  const bodies: string[] = [];
  const idsOf = (body: string) => Object.keys(JSON.parse(body).sgAssocs).map(Number);
  const send = async (body: string): Promise<PushAnswer> => {
    bodies.push(body);
    const isLonger = body.includes('ed25519:longer');
    if (isLonger === (takes === 'longer')) return { kind: 'accepted' };
    return { kind: 'refused', ids: idsOf(body) };
  };
  await keyOnFile.push(await keyOnFile.sign(entries.slice(0, 1)), send);
  const batch = await keyOnFile.sign(entries);
  takes = 'longer';
  const pushed = await keyOnFile.push(batch, send);
  expect(pushed.answer.kind).toBe('accepted');
  expect(pushed.entries.length).toBeLessThan(batch.entries.length);
  expect(pushed.entries.map(({ id }) => id)).toEqual(idsOf(bodies.at(-1) ?? ''));
});
