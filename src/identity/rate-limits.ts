import type { RateLimiter } from '../platform/rate-limiter.ts';
import { IdentityError } from './errors.ts';

/** Counts one more for the key. @throws IdentityError `limit-exceeded` when that is one too many. */
export async function enforce(limiter: RateLimiter, key: string): Promise<void> {
  const wait = await limiter.take(key);
  if (wait === 0) return;
  throw new IdentityError('limit-exceeded', 'Too many requests; try again later', {
    details: { retry_after_ms: wait },
  });
}
