import type { RateLimiter } from '../platform/rate-limiter.ts';
import { foldAddress } from './addresses.ts';
import { IdentityError } from './errors.ts';

/**
 * Counts units, by default one, for the key; without a limiter there is no limit.
 * @throws IdentityError `limit-exceeded` when that is too much.
 */
export async function enforce(
  limiter: RateLimiter | undefined,
  key: string,
  units?: number,
): Promise<void> {
  const wait = (await limiter?.take(key, units)) ?? 0;
  if (wait === 0) return;
  throw new IdentityError('limit-exceeded', 'Too many requests; try again later', {
    details: { retry_after_ms: wait },
  });
}

/** What sends a mail, made to refuse with `limit-exceeded` when its address has had too many. */
export function limitedByRecipient<Mail extends { readonly to: string }>(
  limiter: RateLimiter,
  send: (mail: Mail) => Promise<void>,
): (mail: Mail) => Promise<void> {
  return async (mail) => {
    await enforce(limiter, foldAddress('email', mail.to));
    await send(mail);
  };
}
