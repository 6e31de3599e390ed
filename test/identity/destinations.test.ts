import { expect, test } from 'vitest';
import { verdictOn } from '../../src/identity/validation/destinations.ts';
import { createPhoneNumbers } from '../../src/platform/phone-numbers.ts';

const { parse } = createPhoneNumbers();

type Rule = [beginning: string, rule: 'allow' | 'reject'];

/** In Britain: a mobile, a personal and a premium-rate number; then one of a satellite network. */
const [MOBILE, PERSONAL, PREMIUM] = ['+447700900123', '+447012345678', '+449098790879'];
const SATELLITE = '+881612345678';

test.each<[Rule[], string, string]>([
  [[], MOBILE, 'allowed'],
  [[], PERSONAL, 'special'],
  [[], PREMIUM, 'special'],
  [[], SATELLITE, 'special'],
  // A calling code names a country, not the special numbers of it.
  [[['44', 'allow']], MOBILE, 'allowed'],
  [[['44', 'allow']], PERSONAL, 'special'],
  [[['44', 'allow']], `${PREMIUM}1`, 'special'],
  [[['4470', 'allow']], PERSONAL, 'allowed'],
  [[['4470', 'allow']], PREMIUM, 'special'],
  [[['447', 'allow']], PERSONAL, 'allowed'],
  [[['447012345678', 'allow']], PERSONAL, 'allowed'],
  [[['1', 'allow']], '+19002345678', 'special'],
  [[['1900', 'allow']], '+19002345678', 'allowed'],
  // Of no country: whoever names the calling code means just these.
  [[['881', 'allow']], SATELLITE, 'allowed'],
  [[['8816', 'allow']], SATELLITE, 'allowed'],
  [[['8817', 'allow']], SATELLITE, 'special'],
  [[['882', 'allow']], SATELLITE, 'special'],
  // The most digits count, in both directions.
  [[['44', 'reject']], MOBILE, 'rejected'],
  [
    [
      ['44', 'reject'],
      ['4477', 'allow'],
    ],
    MOBILE,
    'allowed',
  ],
  [
    [
      ['44', 'reject'],
      ['4477', 'allow'],
    ],
    PERSONAL,
    'rejected',
  ],
  [
    [
      ['44', 'allow'],
      ['4477', 'reject'],
      ['44770', 'allow'],
      ['447700', 'reject'],
    ],
    MOBILE,
    'rejected',
  ],
  [
    [
      ['44', 'reject'],
      ['447', 'allow'],
    ],
    PERSONAL,
    'allowed',
  ],
  [[['8816', 'reject']], SATELLITE, 'rejected'],
  // Shorter than a calling code: nobody’s.
  [[['4', 'reject']], MOBILE, 'allowed'],
  [[['8', 'allow']], SATELLITE, 'special'],
])('with the rules %j a message to %s is %s', async (rules, number, verdict) => {
  const phone = await parse(number, '');
  if (phone === undefined) throw new Error('That is a number');
  expect(verdictOn(phone, new Map(rules))).toBe(verdict);
});
