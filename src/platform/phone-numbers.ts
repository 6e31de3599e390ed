import type { PhoneNumber as ParsedNumber, PhoneNumberUtil } from 'google-libphonenumber';
import { createKindOf, type NumberKind } from './special-numbers.ts';

/** A phone number as libphonenumber understands it. */
export interface PhoneNumber {
  /** E.164 without its plus sign: `447700900750`. */
  readonly msisdn: string;
  /** As one writes it to somebody abroad: `+44 7700 900750`. */
  readonly international: string;
  /** The country calling code: `44`. */
  readonly callingCode: string;
  readonly kind: NumberKind;
}

/** Reads phone numbers as people write them. */
export interface PhoneNumbers {
  /**
   * The number as it is dialled from a region (ISO 3166-1 alpha-2, in any case). It need not be in use,
   * only possible. Undefined when it cannot be read as one.
   */
  parse(number: string, region: string): Promise<PhoneNumber | undefined>;
  /** Makes ready what the first parse would otherwise wait for. */
  load(): Promise<void>;
}

interface Library {
  readonly util: PhoneNumberUtil;
  readonly E164: number;
  readonly INTERNATIONAL: number;
  readonly kindOf: (number: ParsedNumber) => NumberKind;
}

/** The library takes longer ones too, but loses digits of them where JavaScript's numbers end. */
const E164_MAX_DIGITS = 15;

/** The library takes half of that, and says so; nothing longer is worth a look. */
const MAX_LENGTH = 500;

/** libphonenumber, loaded when it is first needed: with its metadata it takes 8 MiB and 70 ms. */
export function createPhoneNumbers(): PhoneNumbers {
  let loading: Promise<Library> | undefined;

  async function load(): Promise<Library> {
    const { default: library } = await import('google-libphonenumber');
    const util = library.PhoneNumberUtil.getInstance();
    const kindOf = createKindOf(library);
    // The first number of all takes 7 ms; this one comes when nobody waits.
    kindOf(util.parse('+442079460000', ''));
    const { E164, INTERNATIONAL } = library.PhoneNumberFormat;
    return { util, E164, INTERNATIONAL, kindOf };
  }

  function loaded(): Promise<Library> {
    loading ??= load();
    return loading;
  }

  return {
    async parse(number, region) {
      if (number.length > MAX_LENGTH) return undefined;
      const { util, E164, INTERNATIONAL, kindOf } = await loaded();
      const text = withAsciiDigits(number);
      if (endsInForeignLetter(text)) return undefined;
      try {
        const parsed = util.parse(text, region.toUpperCase());
        const msisdn = util.format(parsed, E164).slice(1);
        if (msisdn.length > E164_MAX_DIGITS) return undefined;
        const international = util.format(parsed, INTERNATIONAL);
        const callingCode = String(parsed.getCountryCode());
        return { msisdn, international, callingCode, kind: kindOf(parsed) };
      } catch {
        // It throws for whatever it cannot read.
        return undefined;
      }
    },
    async load() {
      await loaded();
    },
  };
}

const isDigit = (codePoint: number) => /^\p{Nd}$/u.test(String.fromCodePoint(codePoint));

/** Digits of every script: the library's JavaScript knows four kinds, its other forms all of them. */
function withAsciiDigits(text: string): string {
  return text.replace(/(?![0-9])\p{Nd}/gu, (digit) => {
    // Digits stand in runs of ten, from 0 to 9; sometimes several runs in a row.
    const codePoint = digit.codePointAt(0) ?? 0;
    let before = 0;
    while (isDigit(codePoint - before - 1)) before++;
    return String(before % 10);
  });
}

/** Here too: letters at the end that are not part of a number make it none. Its JavaScript drops them. */
function endsInForeignLetter(text: string): boolean {
  return /(?![0-9A-Za-z])[\p{L}\p{N}][^\p{L}\p{N}#]*$/u.test(text);
}
