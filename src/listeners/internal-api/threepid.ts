import { foldAddress, MEDIA, parseThreePid, type ThreePid } from '../../model/addresses.ts';
import { invalidParam } from '../http/errors.ts';

/** Scripts write numbers as people do, with a plus sign. */
const withoutPlus = (medium: string, address: string) =>
  medium === 'msisdn' ? address.replace(/^\+/, '') : address;

/** What is to be bound. @throws ApiError `M_INVALID_PARAM` */
export function readThreePid(medium: string, address: string): ThreePid {
  const threepid = parseThreePid(medium, withoutPlus(medium, address));
  if (threepid !== undefined) return threepid;
  if (!MEDIA.some((known) => known === medium)) {
    throw invalidParam(`medium must be one of ${MEDIA.join(', ')}`);
  }
  throw invalidParam(`address must be a valid address of medium ${medium}`);
}

/** What is to be forgotten: what was bound long ago may be none that could be bound today. */
export function readBound(medium: string, address: string): { medium: string; address: string } {
  return { medium, address: foldAddress(medium, withoutPlus(medium, address)) };
}
