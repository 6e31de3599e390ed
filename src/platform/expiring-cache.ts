import type { Clock } from './clock.ts';

/** Values that are good for a while. When it is full, the one unused for longest goes. */
export interface ExpiringCache<T> {
  /** undefined when there is none, or its time is over. */
  get(key: string): T | undefined;
  /** @param lifetime milliseconds; 0 or less: it is not kept. */
  set(key: string, value: T, lifetime: number): void;
}

export function createExpiringCache<T>(clock: Clock, capacity: number): ExpiringCache<T> {
  // In the order of use: a Map iterates in the order of insertion.
  const entries = new Map<string, { readonly value: T; readonly expires: number }>();
  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined) return undefined;
      entries.delete(key);
      if (entry.expires <= clock.now()) return undefined;
      entries.set(key, entry);
      return entry.value;
    },
    set(key, value, lifetime) {
      entries.delete(key);
      if (lifetime <= 0) return;
      entries.set(key, { value, expires: clock.now() + lifetime });
      const [oldest] = entries.keys();
      if (entries.size > capacity && oldest !== undefined) entries.delete(oldest);
    },
  };
}
