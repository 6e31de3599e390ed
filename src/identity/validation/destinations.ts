import type { PhoneNumber } from '../../platform/phone-numbers.ts';

/** Whether messages go to numbers that begin so: a calling code, or more digits. */
export type DestinationRules = ReadonlyMap<string, 'allow' | 'reject'>;

/**
 * What the rules say of a number: the one with the most digits counts. Without one, messages go; but a
 * special number has to be named by more than the calling code of its country, which names everybody there.
 */
export function verdictOn(
  { msisdn, callingCode, kind }: PhoneNumber,
  rules: DestinationRules,
): 'allowed' | 'rejected' | 'special' {
  for (let length = msisdn.length; length >= callingCode.length; length--) {
    const rule = rules.get(msisdn.slice(0, length));
    if (rule === undefined) continue;
    if (rule === 'reject') return 'rejected';
    if (kind !== 'special' || length > callingCode.length) return 'allowed';
  }
  return kind === 'ordinary' ? 'allowed' : 'special';
}
