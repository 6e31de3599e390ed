import { enforce } from '../../identity/rate-limits.ts';
import type { RateLimiter } from '../../platform/rate-limiter.ts';
import type { RequestContext } from '../frame/endpoint.ts';

/** How many addresses may be looked up, by an account and from a client address; undefined: any number. */
export interface LookupLimits {
  readonly byAccount: RateLimiter | undefined;
  readonly byClientAddress: RateLimiter | undefined;
}

/** Counts so many addresses looked up. @throws IdentityError `limit-exceeded` */
export async function enforceLookups(
  limits: LookupLimits,
  { user, clientNetwork }: RequestContext,
  addresses: number,
): Promise<void> {
  if (user !== undefined) await enforce(limits.byAccount, user, addresses);
  await enforce(limits.byClientAddress, clientNetwork, addresses);
}
