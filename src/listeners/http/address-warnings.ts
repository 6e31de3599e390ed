import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import { type Client, ODDITIES, type Oddity, type Origin } from './client-address.ts';

const HOUR = 60 * 60 * 1000;

/** The same reader, which says in the log, at first and then hourly, what makes limits by network miss. */
export function warningOfAddresses(
  clientOf: (origin: Origin) => Client,
  logger: Logger,
  clock: Clock,
): (origin: Origin) => Client {
  const said = new Map<Oddity, number>();
  return (origin) => {
    const client = clientOf(origin);
    const { oddity } = client;
    if (oddity !== undefined) {
      const now = clock.monotonic();
      if (now - (said.get(oddity) ?? -Infinity) >= HOUR) {
        said.set(oddity, now);
        logger.warn({ oddity }, ODDITIES[oddity]);
      }
    }
    return client;
  };
}
