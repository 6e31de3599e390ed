import { type Key, wholeNumber } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

/** When the pepper of lookups is rotated. Milliseconds. */
export interface LookupPepperConfig {
  /** 0: never by itself. */
  readonly rotationInterval: number;
  /** For how long the pepper before it goes on working. */
  readonly grace: number;
}

const section = 'lookup_pepper';
const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

/** Keys of `[lookup_pepper]`. */
export const LOOKUP_PEPPER = {
  rotationDays: {
    section,
    name: 'rotation_days',
    default: '0',
    parse: wholeNumber(0, 3650),
    own: true,
    about:
      'After how many days the pepper by which clients hash addresses is replaced by a new one, as cognomen pepper rotate does it. 0: never by itself.',
  },
  graceHours: {
    section,
    name: 'grace_hours',
    default: '24',
    parse: wholeNumber(1, 720),
    own: true,
    about:
      'For how many hours lookups by the pepper before it go on working; clients see it among alt_lookup_peppers of hash_details.',
  },
} satisfies Record<string, Key<unknown>>;

export const readLookupPepper = (reader: ConfigReader): LookupPepperConfig => ({
  rotationInterval: reader.read(LOOKUP_PEPPER.rotationDays) * DAY,
  grace: reader.read(LOOKUP_PEPPER.graceHours) * HOUR,
});
