import { createSemaphore } from '../../platform/semaphore.ts';
import type { Caller } from './charges.ts';
import { type Limits, limitExceeded } from './limits.ts';

/** Asking homeservers that were only named: whoever names one knows nothing of it. */
export interface HomeserverRequests {
  /**
   * Asks, when it is the caller's turn and the homeserver's.
   * @param serverName lower case
   * @throws IdentityError `limit-exceeded`; what asking throws
   */
  run<T>(serverName: string, caller: Caller, ask: () => Promise<T>): Promise<T>;
}

export interface HomeserverRequestsDependencies {
  readonly limits: Limits;
  /** Whether what asking threw says that nobody is there: whoever asks must have no say in that. */
  readonly isFailure: (error: unknown) => boolean;
  /** Milliseconds that a request waits for its turn, where it is not to be the usual time. */
  readonly patience?: number | undefined;
}

/** Long enough for some hundred users of one office who come at once; at a slow homeserver nobody waits in vain for long. */
const PATIENCE = 1000;
const WAITING = { each: 500, all: 5000 };
const RETRY_AFTER = 10_000;

/**
 * Limits what waits for homeservers: so many at once from one network and for one homeserver, after others have had
 * their turn, and so many failures. A homeserver counts by its whole name: what somebody makes up of its domain
 * (ports, subdomains) takes nothing from it, and one that answers does not fail, whoever names it.
 */
export function createHomeserverRequests(deps: HomeserverRequestsDependencies): HomeserverRequests {
  const { limits, isFailure, patience = PATIENCE } = deps;
  const semaphore = createSemaphore({ patience, waiting: WAITING });

  /** @throws IdentityError `limit-exceeded` when too many have failed */
  const refuseFailing = (name: string) => limits.look([{ limit: 'outbound.failures', key: name }]);

  return {
    async run(name, caller, ask) {
      await refuseFailing(name);
      const most = limits.most('outbound.waiting');
      const waits = limits.refuses('outbound.waiting');
      const entered: (() => void)[] = [];
      const owners = [
        ...caller.networks.map((network) => ({ owner: network.name, size: network.size })),
        { owner: `homeserver ${name}`, size: 1 },
      ];
      try {
        for (const { owner, size } of owners) {
          const { turn, isFree, leave } = semaphore.enter(owner, most * size);
          entered.push(leave);
          if (isFree) continue;
          const inTime = turn.then((came) => came || !limits.reached('outbound.waiting'));
          // Where the limit only counts, nobody is kept waiting to see whether they would have waited in vain.
          if (!waits) continue;
          if (!(await inTime)) throw limitExceeded('outbound.waiting', RETRY_AFTER);
          await refuseFailing(name);
        }
        return await ask();
      } catch (error) {
        if (isFailure(error)) limits.count([{ limit: 'outbound.failures', key: name }]);
        throw error;
      } finally {
        for (const leave of entered) leave();
      }
    },
  };
}
