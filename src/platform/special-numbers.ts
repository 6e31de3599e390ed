import type { PhoneNumber, PhoneNumberUtil } from 'google-libphonenumber';

/**
 * What may be special about a number: that a message to it can cost more than one to a telephone of its
 * country, or that it belongs to a service and not to a person (`special`); that its calling code belongs
 * to no country, as those of satellite networks (`global`).
 */
export type NumberKind = 'ordinary' | 'special' | 'global';

type Library = typeof import('google-libphonenumber');

/** Every part of a number shorter than this is the beginning of too many. */
const SHORTEST = 2;

/**
 * Tells kinds of numbers by the numbering plans that libphonenumber has. A number is special, too, when
 * cutting off digits at its end, or the digit that is dialled before a number inside the country, makes
 * a special one: many networks do not look at more digits than they need. What the plan has as a mobile
 * number is whole: the digits it begins with say nothing.
 */
export function createKindOf(library: Library): (number: PhoneNumber) => NumberKind {
  const { PhoneNumberType: type } = library;
  const util: PhoneNumberUtil = library.PhoneNumberUtil.getInstance();
  const special = new Set<number>([
    type.PREMIUM_RATE,
    type.SHARED_COST,
    type.TOLL_FREE,
    type.PERSONAL_NUMBER,
    type.PAGER,
    type.UAN,
    type.VOICEMAIL,
  ]);
  const mobile = new Set<number>([type.MOBILE, type.FIXED_LINE_OR_MOBILE]);

  function typeOf(callingCode: number, national: string): number {
    const zeros = /^0*/.exec(national)?.[0].length ?? 0;
    const number = new library.PhoneNumber();
    number.setCountryCode(callingCode);
    number.setNationalNumber(Number(national));
    number.setItalianLeadingZero(zeros > 0);
    number.setNumberOfLeadingZeros(zeros);
    return util.getNumberType(number);
  }

  function beginsWithSpecial(callingCode: number, national: string): boolean {
    for (let length = national.length; length >= SHORTEST; length--) {
      if (special.has(typeOf(callingCode, national.slice(0, length)))) return true;
    }
    return false;
  }

  /** What is left without the digits dialled before a number inside the country, once or more often. */
  function* withoutTrunkPrefix(region: string, national: string): Generator<string> {
    const prefix = util.getNddPrefixForRegion(region, true) || '0';
    let rest = national;
    while (rest.startsWith(prefix)) {
      rest = rest.slice(prefix.length);
      yield rest;
    }
  }

  return (number) => {
    const callingCode = number.getCountryCodeOrDefault();
    const region: string = util.getRegionCodeForCountryCode(callingCode);
    if (region === '001') return 'global';
    const national = util.getNationalSignificantNumber(number);
    const whole = util.getNumberType(number);
    if (mobile.has(whole)) return 'ordinary';
    if (beginsWithSpecial(callingCode, national)) return 'special';
    if (whole !== type.UNKNOWN) return 'ordinary';
    for (const rest of withoutTrunkPrefix(region, national)) {
      if (beginsWithSpecial(callingCode, rest)) return 'special';
    }
    return 'ordinary';
  };
}
