import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Listener } from '../config/listener.ts';
import type { CryptoConfig } from '../config/sections/crypto.ts';
import { loadTerms } from '../config/terms-file.ts';
import type { Dispatcher, DispatcherTimings } from '../homeservers/onbind/dispatcher.ts';
import { adoptSydentData } from '../identity/adoption/adopt.ts';
import { describeReporting } from '../identity/limits/limit-log.ts';
import type { Listening } from '../listeners/http/listen.ts';
import { clientFields } from '../listeners/http/request-lines.ts';
import { inBackground, startBackground } from './background.ts';
import { type Closing, createClosing } from './closing.ts';
import { type InfrastructureOptions, openInfrastructure } from './infrastructure.ts';
import { type ListenersOptions, startListeners } from './listeners.ts';
import { type RunningReplication, serveReplication } from './replication.ts';
import { createServices, type ServicesOptions } from './services.ts';

/** A running server. */
export interface App {
  /** Where it really listens: port 0 in the configuration means any. */
  readonly addresses: Readonly<
    { client: Listener } & Record<'internal' | 'metrics' | 'replication', Listener | undefined>
  >;
  /**
   * Reads again what stands in files of its own; what is wrong with one is logged, and the old stays.
   * @param crypto the signing keys from now on; without them they stay
   */
  reload(crypto?: CryptoConfig): Promise<void>;
  /** From now on the health endpoint answers that the server is about to stop; all else is answered as before. */
  announceStop(): void;
  /**
   * Takes no more work on any listener, finishes the requests under way or cuts them off when they take too long, then
   * lets go of everything.
   */
  close(): Promise<void>;
  /** What close() waits for. */
  readonly waitsFor: string | undefined;
}

/** Milliseconds that requests under way get to finish when the server stops. */
const DRAIN_LIMIT = 10_000;

export interface AppDependencies
  extends InfrastructureOptions,
    Pick<ServicesOptions, 'homeserverTimings' | 'askingPatience'>,
    Pick<ListenersOptions, 'connectionTimes'> {
  /** Milliseconds that requests under way get to finish at a stop, where not as usual. */
  readonly drainLimit?: number | undefined;
  /** How homeservers are told of bindings, where it is not to be at the usual pace. */
  readonly noticeTimings?: Partial<DispatcherTimings> | undefined;
}

/** Builds the whole server from its configuration and starts it. */
export async function startApp(config: Config, deps: AppDependencies): Promise<App> {
  const closing = createClosing(deps.logger);
  try {
    return await start(config, deps, closing);
  } catch (error) {
    await closing.close();
    throw error;
  }
}

/** @param closing takes down all that was started, also when the start fails half-way */
async function start(config: Config, deps: AppDependencies, closing: Closing): Promise<App> {
  const { general, http } = config;
  const { logger, connectionTimes } = deps;
  let termsPolicy = await loadTerms(general.termsPath);

  const infrastructure = await openInfrastructure(config, deps, closing);
  await adoptSydentData(infrastructure);
  for (const warning of await infrastructure.delivery.checkTemplates()) logger.warn(warning);

  let dispatcher: Dispatcher | undefined;
  let replication: RunningReplication | undefined;
  const services = createServices(config, infrastructure, {
    ...deps,
    termsPolicy: () => termsPolicy,
    noticesAdded: () => dispatcher?.wake(),
    associationLogged: () => replication?.wake(),
  });
  const reporting = describeReporting(config.limits.settings);
  if (reporting !== undefined) logger.info(reporting);
  await services.validation.recover();
  closing.defer('claims on validation sessions', services.validation.stop);
  await services.networkNames.renew();
  dispatcher = startBackground(config, infrastructure, services, closing, deps.noticeTimings);

  const logged = clientFields(services.networkNames.of, general.log.clientAddress);
  if (http.replication) {
    const { notices } = services;
    const running = await serveReplication(config, http.replication, {
      ...infrastructure,
      connectionTimes,
      clientFields: logged,
      bound: notices.enqueueInvitations,
      unbound: notices.takeBack,
    });
    closing.defer('replication', () => running.close());
    replication = running;
  }
  let isStopping = false;
  const listening = { clientFields: logged, connectionTimes, isStopping: () => isStopping };
  const listeners = await startListeners(config, infrastructure, services, listening, closing);
  const addresses = { ...listeners, replication: replication?.listening };
  let waitsFor: string | undefined;

  return {
    addresses,
    async reload(crypto) {
      const { keys } = infrastructure;
      if (crypto !== undefined && keys.renew(crypto)) {
        const [signs, ...former] = keys.signingIds;
        logger.info({ signs, former }, 'Other signing keys are in force');
      }
      await inBackground(logger, 'Reading the terms again', async () => {
        termsPolicy = await loadTerms(general.termsPath);
      });
      await inBackground(logger, 'Reading the certificates again', async () =>
        replication?.reload(),
      );
    },
    announceStop() {
      isStopping = true;
    },
    get waitsFor() {
      return closing.current ?? waitsFor;
    },
    async close() {
      isStopping = true;
      waitsFor = 'requests under way';
      const all = Object.values(addresses).filter((one) => one !== undefined);
      await stopListening(all, deps.drainLimit ?? DRAIN_LIMIT, logger);
      await closing.close();
      waitsFor = undefined;
    },
  };
}

/** Stops them all at once, so that none takes work while another finishes what it has. */
async function stopListening(all: readonly Listening[], limit: number, logger: Logger) {
  const cut = setTimeout(() => {
    logger.warn('Requests are still under way; closing their connections');
    for (const one of all) one.cut();
  }, limit);
  await Promise.all(all.map((one) => one.stop()));
  clearTimeout(cut);
}
