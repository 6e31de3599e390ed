import type { Config } from '../config/config.ts';
import type { Listener } from '../config/listener.ts';
import { loadTerms } from '../config/terms-file.ts';
import type { Dispatcher, DispatcherTimings } from '../homeservers/onbind/dispatcher.ts';
import { adoptSydentData } from '../identity/adoption/adopt.ts';
import { describeReporting } from '../identity/limits/limit-log.ts';
import { clientFields } from '../listeners/http/request-lines.ts';
import { inBackground, startBackground } from './background.ts';
import { type InfrastructureOptions, openInfrastructure } from './infrastructure.ts';
import { type ListenersOptions, type ListeningAt, startListeners } from './listeners.ts';
import { type RunningReplication, serveReplication } from './replication.ts';
import { createServices, type ServicesOptions } from './services.ts';

/** A running server. */
export interface App {
  /** Where it really listens: port 0 in the configuration means any. */
  readonly addresses: ListeningAt & { readonly replication: Listener | undefined };
  /** Reads again what stands in files of its own; what is wrong with one is logged, and the old stays. */
  reload(): Promise<void>;
  /** Finishes the requests under way, then lets go of everything. */
  close(): Promise<void>;
}

export interface AppDependencies
  extends InfrastructureOptions,
    Pick<ServicesOptions, 'homeserverTimings' | 'askingPatience'>,
    Pick<ListenersOptions, 'connectionTimes'> {
  /** How homeservers are told of bindings, where it is not to be at the usual pace. */
  readonly noticeTimings?: Partial<DispatcherTimings> | undefined;
}

/** Builds the whole server from its configuration and starts it. */
export async function startApp(config: Config, deps: AppDependencies): Promise<App> {
  const closing = new AsyncDisposableStack();
  try {
    return await start(config, deps, closing);
  } catch (error) {
    await inBackground(deps.logger, 'Closing what had been opened', () => closing.disposeAsync());
    throw error;
  }
}

/** @param closing takes down all that was started, also when the start fails half-way */
async function start(
  config: Config,
  deps: AppDependencies,
  closing: AsyncDisposableStack,
): Promise<App> {
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
    closing.defer(() => running.close());
    replication = running;
  }
  const listening = { clientFields: logged, connectionTimes };
  const addresses = await startListeners(config, infrastructure, services, listening, closing);

  return {
    addresses: { ...addresses, replication: replication?.address },
    async reload() {
      await inBackground(logger, 'Reading the terms again', async () => {
        termsPolicy = await loadTerms(general.termsPath);
      });
      await inBackground(logger, 'Reading the certificates again', async () =>
        replication?.reload(),
      );
    },
    close: () => closing.disposeAsync(),
  };
}
