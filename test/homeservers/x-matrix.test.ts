import { describe, expect, test } from 'vitest';
import { parseXMatrix } from '../../src/homeservers/x-matrix.ts';
import { quickestWork } from '../support/time.ts';

const SIG = 'AbC+/09dEf';
const usual = { origin: 'hs.test:8448', destination: 'id.test', key: 'ed25519:a_1', sig: SIG };
const { destination: _destination, ...rest } = usual;
const older = { ...rest, destination: undefined };

describe('an X-Matrix header is read', () => {
  test.each<[string, string, object]>([
    [
      'as the specification writes it',
      `X-Matrix origin="hs.test:8448",destination="id.test",key="ed25519:a_1",sig="${SIG}"`,
      usual,
    ],
    [
      'without a destination',
      `X-Matrix origin="hs.test:8448",key="ed25519:a_1",sig="${SIG}"`,
      older,
    ],
    [
      'unquoted, as old servers send it',
      `X-Matrix origin=hs.test:8448,key=ed25519:a_1,sig=${SIG}`,
      older,
    ],
    [
      'in any case',
      `x-MATRIX Origin="hs.test:8448",DESTINATION="id.test",Key="ed25519:a_1",SIG="${SIG}"`,
      usual,
    ],
    [
      'with white space all over',
      `X-Matrix \t  origin = "hs.test:8448" ,\tdestination= id.test , key ="ed25519:a_1"  ,sig="${SIG}"  `,
      usual,
    ],
    [
      'in any order',
      `X-Matrix sig="${SIG}",key="ed25519:a_1",destination="id.test",origin="hs.test:8448"`,
      usual,
    ],
    [
      'with escapes',
      `X-Matrix origin="hs\\.test:8448",destination="\\i\\d.test",key="ed25519\\:a_1",sig="${SIG}"`,
      usual,
    ],
    [
      'with empty list members',
      `X-Matrix ,origin="hs.test:8448",,destination="id.test", ,key="ed25519:a_1",sig="${SIG}",`,
      usual,
    ],
    [
      'with parameters nobody knows',
      `X-Matrix origin="hs.test:8448",x="a, b=\\"c\\"",y=z,destination="id.test",key="ed25519:a_1",sig="${SIG}"`,
      usual,
    ],
  ])('%s', (_what, header, expected) => {
    expect(parseXMatrix(header)).toEqual([expected]);
  });

  test('with padded base64, quoted or not', () => {
    for (const sig of ['"AbC="', 'AbC=', '"AbC=="']) {
      const [parsed] = parseXMatrix(`X-Matrix origin=a,key=b,sig=${sig}`);
      expect(parsed?.sig).toBe(sig.replaceAll('"', ''));
    }
  });

  test('several times when headers were joined', () => {
    const header = `X-Matrix origin=a,key="ed25519:1",sig=x, X-Matrix origin=a,key="ed25519:2",sig=y`;
    expect(parseXMatrix(header).map(({ key }) => key)).toEqual(['ed25519:1', 'ed25519:2']);
  });
});

test.each([
  '',
  'X-Matrix',
  'X-Matrix ',
  'Bearer abc',
  'X-Matrixorigin=a,key=b,sig=c',
  'X-Matrix origin=a,key=b',
  'X-Matrix origin=a,key=b,sig=',
  'X-Matrix origin=a,key=b,sig="c',
  'X-Matrix origin=a,key=b,sig="c"d',
  'X-Matrix origin=a key=b sig=c',
  'X-Matrix origin=a,origin=b,key=c,sig=d',
  'X-Matrix origin=a,key=b,sig=c,=d',
  'X-Matrix origin=a,key=b,sig=c,d',
  'X-Matrix origin=a,key=b,sig=c, X-Matrix origin=a',
  'Bearer x, X-Matrix origin=a,key=b,sig=c',
])('%j is none', (header) => {
  expect(parseXMatrix(header)).toEqual([]);
});

test('a long header is read in no time', async () => {
  for (const part of ['\\', '"', ' ', ',', 'a=', 'X-Matrix ', '\t']) {
    const time = await quickestWork(() => {
      parseXMatrix(`X-Matrix origin="${part.repeat(16_000)}`);
      parseXMatrix(`X-Matrix ${part.repeat(16_000)}`);
    });
    expect(time).toBeLessThan(200);
  }
});
