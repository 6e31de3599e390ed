import libphonenumber from 'google-libphonenumber';
import { describe, expect, test } from 'vitest';
import { createPhoneNumbers } from '../../src/platform/phone-numbers.ts';
import { quickestWork } from '../support/time.ts';

const { parse } = createPhoneNumbers();

describe('a phone number is read as it is dialled from its region', () => {
  test.each([
    ['07700 900750', 'GB', '447700900750', '+44 7700 900750', '44'],
    ['07700 900750', 'gb', '447700900750', '+44 7700 900750', '44'],
    ['+44 7700 900750', 'US', '447700900750', '+44 7700 900750', '44'],
    ['+44 7700 900750', 'ZZ', '447700900750', '+44 7700 900750', '44'],
    ['+44 7700 900750', '', '447700900750', '+44 7700 900750', '44'],
    ['011 44 7700 900750', 'US', '447700900750', '+44 7700 900750', '44'],
    // What is left of +44… in a query string that was not encoded.
    [' 447700900750', 'GB', '447700900750', '+44 7700 900750', '44'],
    ['(650) 253-0000', 'US', '16502530000', '+1 650-253-0000', '1'],
    ['1-800-FLOWERS', 'US', '18003569377', '+1 800-356-9377', '1'],
    ['+1 242 365 1234', 'BS', '12423651234', '+1 242-365-1234', '1'],
    ['06 1234567', 'IT', '39061234567', '+39 06 123 4567', '39'],
    ['0011 54 9 11 8765 4321', 'AU', '5491187654321', '+54 9 11 8765-4321', '54'],
    ['+800 1234 5678', 'GB', '80012345678', '+800 1234 5678', '800'],
    // Possible is enough.
    ['12', 'GB', '4412', '+44 12', '44'],
    ['911', 'US', '1911', '+1 911', '1'],
    // An extension is shown, and cannot be sent to.
    ['07700900750 ext 12', 'GB', '447700900750', '+44 7700 900750 x12', '44'],
    ['tel:07700900750;phone-context=+44', 'US', '447700900750', '+44 7700 900750', '44'],
    ['call 07700 900750 (mornings)', 'GB', undefined],
    ['call 07700 900750 (!)', 'GB', '447700900750', '+44 7700 900750', '44'],
    // Digits of other scripts: full-width, Arabic-Indic, Devanagari, mathematical.
    ['＋４４ ７７００ ９００７５０', 'US', '447700900750', '+44 7700 900750', '44'],
    ['٠٧٧٠٠٩٠٠٧٥٠', 'GB', '447700900750', '+44 7700 900750', '44'],
    ['०७७००९००७५०', 'GB', '447700900750', '+44 7700 900750', '44'],
    ['𝟎𝟕𝟕𝟎𝟎𝟗𝟎𝟎𝟕𝟓𝟎', 'GB', '447700900750', '+44 7700 900750', '44'],
    ['𝟶𝟽𝟽𝟶𝟶𝟿𝟶𝟶𝟽𝟻𝟶', 'GB', '447700900750', '+44 7700 900750', '44'],
  ])('%j from %j', async (number, region, msisdn, international?, callingCode?) => {
    const expected = msisdn === undefined ? undefined : { msisdn, international, callingCode };
    const parsed = await parse(number, region);
    expect(parsed && { ...parsed, kind: undefined }).toEqual(expected);
  });

  test.each([
    ['', 'GB'],
    ['garbage', 'GB'],
    ['+', 'GB'],
    ['0', 'GB'],
    ['1', 'GB'],
    ['+449', 'GB'],
    ['07700 900750', 'UK'],
    ['07700 900750', ''],
    ['07700 900750', '001'],
    ['07700 900750', 'constructor'],
    ['07700 900750é', 'GB'],
    ['07700 900750²', 'GB'],
    ['0770\u00001', 'GB'],
    ['+999 12345678', 'GB'],
    ['+0 123 4567', 'GB'],
    ['+1234567890123456789', 'GB'],
    // Sixteen digits: one more than numbers have.
    ['+49 12345678901234', 'DE'],
    [`${' '.repeat(300)}07700900750`, 'GB'],
    ['7'.repeat(100_000), 'GB'],
    ['٧'.repeat(100_000), 'GB'],
  ])('%j from %j is none', async (number, region) => {
    expect(await parse(number, region)).toBeUndefined();
  });
});

test('no text holds the server up', async () => {
  const pieces = [
    '7',
    '+',
    ' ',
    '-',
    'x',
    'ext',
    ';',
    '#',
    '(',
    '~',
    ',',
    '*',
    'A',
    '٧',
    'é',
    '/x',
  ];
  const texts = pieces.flatMap((a) =>
    pieces.flatMap((b) => [
      `1234${(a + b).repeat(250)}`,
      `${(a + b).repeat(40)}!77${a.repeat(100)}`,
    ]),
  );
  let slowest = 0;
  for (const text of texts) {
    slowest = Math.max(slowest, await quickestWork(() => parse(text.slice(0, 250), 'GB')));
  }
  expect(slowest).toBeLessThan(10);
});

describe('what is special about a number', () => {
  const { PhoneNumberUtil, PhoneNumberFormat, PhoneNumberType: type } = libphonenumber;
  const util = PhoneNumberUtil.getInstance();
  const kind = async (number: string) => (await parse(number, ''))?.kind;
  /** The examples of these types in all numbering plans. */
  const examples = (...types: number[]) =>
    util.getSupportedRegions().flatMap((region) =>
      types.flatMap((of) => {
        const example = util.getExampleNumberForType(region, of);
        return example ? [util.format(example, PhoneNumberFormat.E164)] : [];
      }),
    );

  test('no country’s mobile numbers are', async () => {
    const mobile = examples(type.MOBILE);
    expect(mobile.length).toBeGreaterThan(240);
    for (const number of mobile) expect([number, await kind(number)]).toEqual([number, 'ordinary']);
  });

  test('numbers are that cost more, or are a service’s and not a person’s', async () => {
    const { PREMIUM_RATE, SHARED_COST, PERSONAL_NUMBER, UAN, VOICEMAIL, PAGER, TOLL_FREE } = type;
    const special = examples(
      PREMIUM_RATE,
      SHARED_COST,
      PERSONAL_NUMBER,
      UAN,
      VOICEMAIL,
      PAGER,
      TOLL_FREE,
    );
    expect(special.length).toBeGreaterThan(500);
    for (const number of special) {
      expect([number, await kind(number)]).toEqual([number, 'special']);
      // Digits behind them, as far as numbers go.
      for (const more of ['0', '42']) {
        const longer = number + more;
        const parsed = await parse(longer, '');
        // Too long for a number, or read as another one.
        if (`+${parsed?.msisdn}` !== longer) continue;
        const isMobile = util.getNumberType(util.parse(longer, '')) === type.MOBILE;
        if (!isMobile) expect([longer, parsed?.kind]).toEqual([longer, 'special']);
      }
    }
  });

  test.each([
    // Premium-rate in Britain: with digits behind it, and with the 0 that is dialled inside the country.
    ['+44 909 879 0879', 'special'],
    ['+44 909 879 0879 1', 'special'],
    ['+44 909 879 0879 123', 'special'],
    ['+44 0 909 879 0879 1', 'special'],
    ['+44 00 909 879 0879 1', 'special'],
    ['+44 70 1234 5678', 'special'],
    ['+44 70 1234 5678 9', 'special'],
    ['+1 900 234 5678', 'special'],
    ['+1 1 900 234 5678 9', 'special'],
    ['+7 8 809 123 45 67 8', 'special'],
    ['+800 1234 5678', 'global'],
    ['+870 773 111 632', 'global'],
    ['+881 612 345 678', 'global'],
    ['+882 16 5551 1234', 'global'],
    ['+883 5100 1234 5678', 'global'],
    ['+979 1 2345 6789', 'global'],
    // In America nobody can tell mobile numbers from others.
    ['+1 650 253 0000', 'ordinary'],
    ['+1 242 365 1234', 'ordinary'],
    // They begin as a Japanese personal and as a Korean service number do, and are whole.
    ['+81 60 1828 8523', 'ordinary'],
    ['+82 16 449 9511', 'ordinary'],
    ['+44 20 7946 0000', 'ordinary'],
    ['+39 0899 123 456', 'ordinary'],
    // Of no plan at all, and not like any special one.
    ['+44 12', 'ordinary'],
  ])('%s is %s', async (number, expected) => {
    expect(await kind(number)).toBe(expected);
  });
});
