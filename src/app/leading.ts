import type { Config } from '../config/config.ts';
import type { DispatcherTimings } from '../homeservers/onbind/dispatcher.ts';
import type { Listening } from '../listeners/http/listen.ts';
import { inBackground, startBackground } from './background.ts';
import type { Closing } from './closing.ts';
import type { Infrastructure } from './infrastructure.ts';
import type { Listeners, ListenersOptions } from './listeners.ts';
import { type RunningReplication, serveReplication } from './replication.ts';
import type { Services } from './services.ts';

/** What one process does for all that serve the same clients. */
export interface Leading {
  readonly addresses: Readonly<
    Record<'internal' | 'metrics' | 'admin' | 'replication', Listening | undefined>
  >;
  /** Homeservers are owed something new, and it is committed. */
  noticesAdded(): void;
  /** Owners of addresses are owed something new, and it is committed. */
  ownerNoticesAdded(): void;
  /** An entry of the log was committed. */
  associationLogged(): void;
  /** Reads the certificates again; what is wrong with them is logged, and the old stay. */
  reload(): Promise<void>;
}

export interface LeadingOptions extends Pick<ListenersOptions, 'connectionTimes' | 'clientFields'> {
  readonly listeners: Pick<Listeners, 'serveOperators'>;
  /** How homeservers are told of bindings, where it is not to be at the usual pace. */
  readonly noticeTimings?: Partial<DispatcherTimings> | undefined;
}

/**
 * Starts what only one process is to do: telling homeservers and owners of addresses, deleting what is old, replication, and the listeners
 * that are not for clients. Two that do it for a while, one after the other has died, do no harm: what is done once is
 * claimed in the database.
 * @param closing stops it again
 */
export async function startLeading(
  config: Config,
  infrastructure: Infrastructure,
  services: Services,
  options: LeadingOptions,
  closing: Closing,
): Promise<Leading> {
  const { logger } = infrastructure;
  const { connectionTimes, clientFields, noticeTimings } = options;
  const { dispatcher, ownerMailing } = startBackground(
    config,
    infrastructure,
    services,
    closing,
    noticeTimings,
  );
  let replication: RunningReplication | undefined;
  if (config.http.replication) {
    const { notices } = services;
    const running = await serveReplication(config, config.http.replication, {
      ...infrastructure,
      connectionTimes,
      clientFields,
      bound: notices.enqueueInvitations,
      unbound: notices.takeBack,
    });
    closing.defer('replication', () => running.close());
    replication = running;
  }
  const listeners = await options.listeners.serveOperators();
  return {
    addresses: { ...listeners, replication: replication?.listening },
    noticesAdded: () => dispatcher.wake(),
    ownerNoticesAdded: () => ownerMailing?.wake(),
    associationLogged: () => replication?.wake(),
    reload: () =>
      inBackground(logger, 'Reading the certificates again', async () => replication?.reload()),
  };
}
