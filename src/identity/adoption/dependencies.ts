import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import type { Progress } from '../../platform/progress.ts';
import type { Storage, Stores } from '../../storage/stores/index.ts';
import type { ServerKeys } from '../server-keys.ts';

export interface AdoptionDependencies {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly progress: Progress;
}

/** A position or number that is kept in the state; undefined when there is none. */
export async function numberState(stores: Stores, key: string): Promise<number | undefined> {
  const value = await stores.state.get(key);
  return value === undefined ? undefined : Number(value);
}
