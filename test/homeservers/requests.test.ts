import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { encodeBase64 } from '../../src/signing/base64.ts';
import { keyPairFromSeed } from '../../src/signing/ed25519.ts';
import { signJson } from '../../src/signing/signed-json.ts';
import { startDnsServer, type TestDnsServer } from '../support/dns-server.ts';
import { answerJson, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { testHomeservers } from '../support/outbound.ts';
import { createTestCa, type TestCa } from '../support/tls.ts';

const KEYS = '/_matrix/key/v2/server';
const DAY = 24 * 60 * 60 * 1000;
const URI = '/_matrix/identity/v2/3pid/unbind?x=y';
const content = { mxid: '@a:hs.test', threepid: { medium: 'email', address: 'ä@b.test' } };

let ca: TestCa;
let dns: TestDnsServer;
let hs: TestHomeserver;
let made: ReturnType<typeof testHomeservers>;

beforeAll(async () => {
  ca = await createTestCa();
  dns = await startDnsServer();
  hs = await startHomeserver({ ca, validUntil: Date.UTC(2026, 0, 3) });
});
afterAll(async () => {
  await hs.close();
  await dns.close();
  await ca.remove();
});
beforeEach(() => {
  made = testHomeservers({
    dns,
    ca,
    ports: { 443: 1, 8448: 1 },
    config: {
      clientHttpBase: 'https://Public.id.test:8090/matrix',
      serverAliases: ['alias.test/base'],
    },
  });
});
afterEach(async () => {
  hs.script(KEYS, undefined);
  (hs.requests as unknown[]).length = 0;
  await made.outbound.close();
});

const fetches = () => hs.requests.filter(({ url }) => url === KEYS).length;
const verify = (...authorization: string[]) =>
  made.verifyRequest({ method: 'POST', uri: URI, content, authorization });
const sign = (more: Partial<Parameters<typeof hs.authorization>[0]> = {}) =>
  hs.authorization({ uri: URI, content, ...more });

/** The homeserver says this of its keys, signed by the keys of such seeds as `ed25519:SEED`. */
function publish(
  seeds: readonly number[],
  more: Record<string, unknown> = {},
  signers: readonly number[] = seeds,
): void {
  const pair = (seed: number) => keyPairFromSeed(Buffer.alloc(32, seed));
  const keys = seeds.map(
    (seed) => [`ed25519:${seed}`, { key: encodeBase64(pair(seed).publicKey) }] as const,
  );
  let answer: object = {
    server_name: hs.serverName,
    valid_until_ts: Date.UTC(2026, 0, 3),
    verify_keys: Object.fromEntries(keys),
    ...more,
  };
  for (const seed of signers) {
    answer = signJson(answer, hs.serverName, `ed25519:${seed}`, pair(seed).sign);
  }
  hs.script(KEYS, (_request, response) => answerJson(response, 200, answer));
}

/** A header by the key of that seed. */
function signedBy(seed: number, keyId = `ed25519:${seed}`): string {
  const { signatures } = signJson(
    { method: 'POST', uri: URI, destination_is: 'id.test', origin: hs.serverName, content },
    hs.serverName,
    keyId,
    keyPairFromSeed(Buffer.alloc(32, seed)).sign,
  );
  const sig = signatures[hs.serverName]?.[keyId];
  return `X-Matrix origin="${hs.serverName}",key="${keyId}",sig="${sig}"`;
}

describe('a signed request', () => {
  test('is the homeserver’s that signed it', async () => {
    expect(await verify(sign())).toEqual({ origin: hs.serverName });
  });

  test('without a body', async () => {
    const authorization = [hs.authorization({ method: 'GET', uri: '/x' })];
    const request = { method: 'GET', uri: '/x', content: undefined, authorization };
    expect(await made.verifyRequest(request)).toEqual({ origin: hs.serverName });
  });

  test.each([
    'id.test',
    'ID.test',
    'public.id.test:8090',
    'public.id.test:8090/matrix',
    'alias.test/base',
  ])('for %s is for this server', async (destination) => {
    expect(await verify(sign({ destination }))).toEqual({ origin: hs.serverName });
  });

  test.each(['public.id.test', 'alias.test', 'other.test', 'id.test.evil', '', 'id.test/x'])(
    'for %j is not',
    async (destination) => {
      await expect(verify(sign({ destination }))).rejects.toMatchObject({
        fault: 'signature-refused',
      });
      expect(fetches()).toBe(0);
    },
  );

  const withoutDestination = (header: string) => header.replace(/,destination="[^"]*"/, '');

  test.each(['id.test', 'public.id.test:8090/matrix', 'alias.test/base'])(
    'for %s whose header does not say so',
    async (destination) => {
      const header = withoutDestination(sign({ destination }));
      expect(await verify(header)).toEqual({ origin: hs.serverName });
    },
  );

  test.each(['ID.Capitals.test', 'id.capitals.test'])(
    'for %s, where server.name has capitals, whether or not its header says so',
    async (destination) => {
      const config = { serverName: 'ID.Capitals.test' };
      await made.outbound.close();
      made = testHomeservers({ dns, ca, ports: { 443: 1, 8448: 1 }, config });
      for (const header of [sign({ destination }), withoutDestination(sign({ destination }))]) {
        expect(await verify(header)).toEqual({ origin: hs.serverName });
      }
    },
  );

  test('for another server whose header does not say so is refused', async () => {
    const header = withoutDestination(sign({ destination: 'other.test' }));
    await expect(verify(header)).rejects.toMatchObject({ fault: 'signature-refused' });
  });

  test.each([
    [['destination']],
    [['destination_is']],
    [['destination', 'destination_is']],
  ] as const)('may say whom it is for in %j', async (destinationIn) => {
    expect(await verify(sign({ destinationIn }))).toEqual({ origin: hs.serverName });
  });

  test('has to say whom it is for', async () => {
    await expect(verify(sign({ destinationIn: [] }))).rejects.toMatchObject({
      fault: 'signature-refused',
    });
  });

  test.each<[string, Partial<Parameters<typeof hs.authorization>[0]>]>([
    ['another method', { method: 'PUT' }],
    ['another path', { uri: '/_matrix/identity/v2/3pid/bind' }],
    ['another query', { uri: '/_matrix/identity/v2/3pid/unbind' }],
    ['another body', { content: { ...content, mxid: '@b:hs.test' } }],
    ['another origin', { signed: { origin: 'other.test' } }],
    ['more than is there', { signed: { extra: 1 } }],
  ])('signed for %s is refused', async (_what, more) => {
    await expect(verify(sign(more))).rejects.toMatchObject({ fault: 'signature-refused' });
  });

  test('whose body cannot have been signed is refused', async () => {
    const request = { method: 'POST', uri: URI, content: { a: 1.5 }, authorization: [sign()] };
    await expect(made.verifyRequest(request)).rejects.toMatchObject({ fault: 'signature-refused' });
  });

  test.each([
    ['is not there', []],
    ['has another scheme', ['Bearer abc']],
    ['is malformed', ['X-Matrix origin="a"']],
  ])('whose header %s is refused', async (_what, authorization) => {
    await expect(verify(...authorization)).rejects.toMatchObject({ fault: 'signature-refused' });
  });

  test.each(['a b', 'localhost:0', 'localhost:04242'])(
    'of the origin %j, where no homeserver can be, is refused as such',
    async (origin) => {
      const header = sign().replace(hs.serverName, origin);
      await expect(verify(header)).rejects.toMatchObject({ fault: 'parameter-invalid' });
    },
  );

  test('with a signature of another origin is refused', async () => {
    const header = sign().replace(hs.serverName, `127.0.0.1:${hs.port}`);
    await expect(verify(header)).rejects.toMatchObject({ fault: 'homeserver-failed' });
    await expect(verify(sign(), header)).rejects.toMatchObject({ fault: 'signature-refused' });
  });

  test('with a garbled signature is refused', async () => {
    for (const sig of ['sig="!"', 'sig="AAAA"', 'sig=x']) {
      await expect(verify(sign().replace(/sig="[^"]*"/, sig))).rejects.toMatchObject({
        fault: 'signature-refused',
      });
    }
  });

  test('with several signatures needs one that is right', async () => {
    publish([1, 2]);
    const wrong = signedBy(1, 'ed25519:2');
    await expect(verify(wrong)).rejects.toMatchObject({ fault: 'signature-refused' });
    expect(await verify(signedBy(9), wrong, 'Bearer x', signedBy(2))).toEqual({
      origin: hs.serverName,
    });
  });
});

describe('keys', () => {
  test('are fetched once however many requests need them', async () => {
    await Promise.all(Array.from({ length: 50 }, () => verify(sign())));
    expect(fetches()).toBe(1);
    expect(hs.requests[0]?.url).toBe('/_matrix/key/v2/server');
  });

  const fails: Parameters<typeof hs.script>[1] = (_request, response) =>
    answerJson(response, 500, {});
  const refusing = { fault: 'homeserver-failed' };

  test('that cannot be had are asked for once by many, and once a minute', async () => {
    hs.script(KEYS, fails);
    const many = await Promise.allSettled(Array.from({ length: 50 }, () => verify(sign())));
    expect(many.filter(({ status }) => status === 'rejected')).toHaveLength(50);
    expect(fetches()).toBe(1);
    // As if nothing had failed; nobody looks before the minute is over.
    hs.script(KEYS, undefined);
    made.clock.advance(59_999);
    await expect(verify(sign())).rejects.toMatchObject(refusing);
    expect(fetches()).toBe(1);
    made.clock.advance(1);
    expect(await verify(sign())).toEqual({ origin: hs.serverName });
    expect(fetches()).toBe(2);
  });

  test('are asked for once a minute by whatever names and ids', async () => {
    publish([1]);
    const names = ['localhost', 'LOCALHOST', 'Localhost', 'localHost'];
    for (const name of names) {
      for (const id of ['ed25519:a', 'ed25519:b', 'ed25519:c']) {
        const header = signedBy(1, id).replace('localhost', name);
        const fault = name === 'localhost' ? 'signature-refused' : 'homeserver-failed';
        await expect(verify(header)).rejects.toMatchObject({ fault });
      }
    }
    expect(fetches()).toBe(1);
    expect(await verify(signedBy(1))).toEqual({ origin: hs.serverName });
  });

  test('that end at once are not asked for more often', async () => {
    publish([1], { valid_until_ts: made.clock.now() + 1000 });
    await verify(signedBy(1));
    made.clock.advance(1000);
    await expect(verify(signedBy(1))).rejects.toMatchObject(refusing);
    expect(fetches()).toBe(1);
    publish([1], { valid_until_ts: made.clock.now() + DAY });
    made.clock.advance(59_000);
    await verify(signedBy(1));
    expect(fetches()).toBe(2);
  });

  test('for which there was no room are asked for when there is', async () => {
    await made.outbound.close();
    const limits = { rooms: { keys: { perHost: 1, waiting: 0 } } };
    made = testHomeservers({ dns, ca, ports: { 443: 1, 8448: 1 }, limits });
    const held = Promise.withResolvers<() => void>();
    hs.script('/held', (_request, response) => held.resolve(() => response.end()));
    const holding = made.get(`https://${hs.serverName}/held`, { room: 'keys' });
    const letGo = await held.promise;
    await expect(verify(sign())).rejects.toMatchObject({ fault: 'overloaded' });
    expect(fetches()).toBe(0);
    letGo();
    await holding;
    expect(await verify(sign())).toEqual({ origin: hs.serverName });
  });

  test('are kept until they end', async () => {
    await verify(sign());
    made.clock.advance(2 * DAY - 1);
    await verify(sign());
    expect(fetches()).toBe(1);
    made.clock.advance(1);
    await expect(verify(sign())).rejects.toMatchObject({ fault: 'homeserver-failed' });
    expect(fetches()).toBe(2);
  });

  test('are kept for 7 days at most', async () => {
    publish([1], { valid_until_ts: Date.UTC(2036, 0, 1) });
    await verify(signedBy(1));
    made.clock.advance(7 * DAY - 1);
    await verify(signedBy(1));
    expect(fetches()).toBe(1);
    made.clock.advance(1);
    await verify(signedBy(1));
    expect(fetches()).toBe(2);
  });

  test('are fetched again for an id that is not known, but not again and again', async () => {
    publish([1]);
    await verify(signedBy(1));
    publish([1, 2]);
    await expect(verify(signedBy(2))).rejects.toMatchObject({ fault: 'signature-refused' });
    made.clock.advance(60_000);
    await Promise.all([verify(signedBy(2)), verify(signedBy(2)), verify(signedBy(1))]);
    expect(fetches()).toBe(2);
    await expect(verify(signedBy(3))).rejects.toMatchObject({ fault: 'signature-refused' });
    expect(fetches()).toBe(2);
  });

  test('that are old do not sign requests', async () => {
    const key = encodeBase64(keyPairFromSeed(Buffer.alloc(32, 3)).publicKey);
    publish([1], { old_verify_keys: { 'ed25519:3': { key, expired_ts: Date.UTC(2030, 0, 1) } } });
    await expect(verify(signedBy(3))).rejects.toMatchObject({ fault: 'signature-refused' });
  });

  test('that have not signed the answer do not count', async () => {
    publish([1, 2], {}, [1]);
    await expect(verify(signedBy(2))).rejects.toMatchObject({ fault: 'signature-refused' });
    expect(await verify(signedBy(1))).toEqual({ origin: hs.serverName });
  });

  test.each<[string, () => void]>([
    ['of another server', () => publish([1], { server_name: 'other.test' })],
    [
      'of its name in other letters',
      () => publish([1], { server_name: hs.serverName.toUpperCase() }),
    ],
    ['signed by nobody', () => publish([1], {}, [])],
    ['signed by a key that is not there', () => publish([1], {}, [2])],
    [
      'changed after signing',
      () => hs.script(KEYS, (_request, response) => answerJson(response, 200, {})),
    ],
    ['that ended', () => publish([1], { valid_until_ts: Date.UTC(2025, 11, 31) })],
    ['that end in words', () => publish([1], { valid_until_ts: 'tomorrow' })],
    ['that are a list', () => publish([], { verify_keys: [1] })],
    ['that are too long', () => publish([1], { x: 'x'.repeat(51_200) })],
    [
      'with status 500',
      () => hs.script(KEYS, (_request, response) => answerJson(response, 500, {})),
    ],
    [
      'as a redirect',
      () =>
        hs.script(KEYS, (_request, response) => response.writeHead(302, { location: '/x' }).end()),
    ],
    ['in HTML', () => hs.script(KEYS, (_request, response) => response.end('<html>'))],
    ['and hangs up', () => hs.script(KEYS, (_request, response) => response.destroy())],
  ])('when the homeserver answers with keys %s, it has failed', async (_what, script) => {
    script();
    await expect(verify(signedBy(1))).rejects.toMatchObject({
      fault: 'homeserver-failed',
      message: expect.stringContaining(hs.serverName),
    });
  });

  test('of a homeserver that is not there', async () => {
    const gone = await startHomeserver({ ca });
    const header = gone.authorization({ uri: URI, content });
    await gone.close();
    await expect(verify(header)).rejects.toMatchObject({ fault: 'homeserver-failed' });
  });
});
