import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';

/** Values that are good for a while. When it is full, the one unused for longest goes. */
export interface ExpiringCache<T> {
  /** undefined when there is none, or its time is over. */
  get(key: string): T | undefined;
  /** @param lifetime milliseconds; 0 or less: it is not kept. */
  set(key: string, value: T, lifetime: number): void;
}

/** The time is this server's clock's, which tests move. */
export function createExpiringCache<T>(clock: Clock, capacity: number): ExpiringCache<T> {
  const entries = new LRUCache<string, { readonly value: T; readonly expires: number }>({
    max: capacity,
  });
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined || entry.expires > clock.monotonic()) return entry?.value;
      entries.delete(key);
      return undefined;
    },
    set(key, value, lifetime) {
      if (lifetime > 0) entries.set(key, { value, expires: clock.monotonic() + lifetime });
      else entries.delete(key);
    },
  };
}
