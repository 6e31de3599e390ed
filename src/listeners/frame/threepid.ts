import { MEDIA, parseThreePid, type ThreePid } from '../../identity/addresses.ts';
import { invalidParam } from './errors.ts';

/** @throws ApiError `M_INVALID_PARAM` */
export function readThreePid(medium: string, address: string): ThreePid {
  const threepid = parseThreePid(medium, address);
  if (threepid !== undefined) return threepid;
  if (!MEDIA.some((known) => known === medium)) {
    throw invalidParam(`medium must be one of ${MEDIA.join(', ')}`);
  }
  throw invalidParam(`address must be a valid address of medium ${medium}`);
}
