import type { Config } from '../config/config.ts';
import { createServerKeys } from '../identity/server-keys.ts';
import type { OperationContext } from '../operations/operation.ts';
import { systemClock } from '../platform/clock.ts';

/** What operations are given: of a server that runs, or, what is missing, made for one command. */
export function operationContext(
  config: Config,
  { storage, keys, clock }: Pick<OperationContext, 'storage'> & Partial<OperationContext>,
): OperationContext {
  return {
    config,
    storage,
    keys: keys ?? createServerKeys(config.general.serverName, config.crypto),
    clock: clock ?? systemClock,
  };
}
