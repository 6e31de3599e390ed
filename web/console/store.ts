import { useEffect, useState } from 'preact/hooks';

/** A value that parts of the page show, and hear of when it changes. */
export interface Store<T> {
  get(): T;
  set(value: T): void;
  /** @returns how to hear no more of it */
  subscribe(hear: () => void): () => void;
}

export function createStore<T>(initial: T): Store<T> {
  const hearers = new Set<() => void>();
  let current = initial;
  return {
    get: () => current,
    set(value) {
      current = value;
      for (const hear of [...hearers]) hear();
    },
    subscribe(hear) {
      hearers.add(hear);
      return () => hearers.delete(hear);
    },
  };
}

/** The value, now and whenever it changes. */
export function useStore<T>(store: Store<T>): T {
  const [, again] = useState({});
  useEffect(() => store.subscribe(() => again({})), [store]);
  return store.get();
}
