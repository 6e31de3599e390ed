import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { Listener } from '../config/listener.ts';
import type { CryptoConfig } from '../config/sections/crypto.ts';
import { loadTerms } from '../config/terms-file.ts';
import { adoptSydentData } from '../identity/adoption/adopt.ts';
import { describeReporting } from '../identity/limits/limit-log.ts';
import { noteSigningKey } from '../identity/signing-times.ts';
import type { Listening } from '../listeners/http/listen.ts';
import { clientFields } from '../listeners/http/request-lines.ts';
import type { MetricsSnapshot } from '../platform/metrics.ts';
import { outside } from '../platform/tracing/scope.ts';
import { inBackground, startOwnBackground } from './background.ts';
import { type Closing, createClosing } from './closing.ts';
import { type InfrastructureOptions, openInfrastructure } from './infrastructure.ts';
import { type Leading, type LeadingOptions, startLeading } from './leading.ts';
import { createListeners, type ListenersOptions } from './listeners.ts';
import { createServices, type ServicesOptions } from './services.ts';

/** A running server. */
export interface App {
  /** Where it really listens: port 0 in the configuration means any. */
  readonly addresses: Readonly<
    { client: Listener } & Record<
      'internal' | 'metrics' | 'admin' | 'replication',
      Listener | undefined
    >
  >;
  /** Does from now on what one process of several does for all. Rejects when it cannot; then nothing has changed. */
  lead(): Promise<void>;
  /**
   * Reads again what stands in files of its own; what is wrong with one is logged, and the old stays.
   * @param crypto the signing keys from now on; without them they stay
   */
  reload(crypto?: CryptoConfig): Promise<void>;
  /** What this process has counted. */
  metrics(): Promise<MetricsSnapshot>;
  /** From now on the health endpoint answers that the server is about to stop; all else is answered as before. */
  announceStop(): void;
  /** Leaves new requests to the others that serve the same clients, for so long that none meets a closed connection. */
  leave(): Promise<void>;
  /**
   * Takes no more work on any listener, finishes the requests under way or cuts them off when they take too long, then
   * lets go of everything.
   */
  close(): Promise<void>;
  /** What close() waits for. */
  readonly waitsFor: string | undefined;
}

const NOT_LEADING = {
  internal: undefined,
  metrics: undefined,
  admin: undefined,
  replication: undefined,
};

/** Milliseconds that requests under way get to finish when the server stops. */
const DRAIN_LIMIT = 10_000;

export interface AppDependencies
  extends InfrastructureOptions,
    Pick<ServicesOptions, 'homeserverTimings' | 'askingPatience'>,
    Pick<ListenersOptions, 'connectionTimes' | 'values'>,
    Pick<LeadingOptions, 'noticeTimings'> {
  /** Milliseconds that requests under way get to finish at a stop, where not as usual. */
  readonly drainLimit?: number | undefined;
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
  const { general } = config;
  const { logger, connectionTimes, values, among } = deps;
  let termsPolicy = await loadTerms(general.termsPath);

  const infrastructure = await openInfrastructure(config, deps, closing);
  const isFirst = among?.isFirst ?? true;
  if (isFirst) await adoptSydentData(infrastructure);

  let leading: Leading | undefined;
  const services = createServices(config, infrastructure, {
    ...deps,
    termsPolicy: () => termsPolicy,
    // What follows is done for all, whoever was first.
    noticesAdded: () => outside(() => leading?.noticesAdded()),
    ownerNoticesAdded: () => outside(() => leading?.ownerNoticesAdded()),
    associationLogged: () => outside(() => leading?.associationLogged()),
  });
  const reporting = describeReporting(config.limits.settings);
  if (reporting !== undefined) logger.info(reporting);
  if (isFirst) await services.validation.recover();
  closing.defer('claims on validation sessions', services.validation.stop);
  await services.networkNames.renew();
  if (isFirst) await services.oldWays.begin();
  await noteSigningKey(infrastructure.storage, infrastructure);
  await services.blocks.refresh();
  startOwnBackground(infrastructure, services, closing);

  let isStopping = false;
  const given = {
    clientFields: clientFields(services.networkNames.of, general.log.clientAddress),
    connectionTimes,
    values,
    isStopping: () => isStopping,
    metricsText: among?.metricsOfAll ?? (() => infrastructure.metrics.registry.metrics()),
  };
  const listenersFor = (steps: Closing) =>
    createListeners(config, infrastructure, services, given, steps);
  const lead = async () => {
    if (leading !== undefined) return;
    const steps = createClosing(logger);
    const listeners = listenersFor(steps);
    const options = { ...given, listeners, noticeTimings: deps.noticeTimings };
    try {
      leading = await startLeading(config, infrastructure, services, options, steps);
    } catch (error) {
      await steps.close();
      throw error;
    }
    steps.moveTo(closing);
  };
  if (among === undefined) await lead();
  // Last, when all else is there.
  const client = await listenersFor(closing).serveClients();
  // It only warns, and takes a tenth of the time of a start.
  for (const warning of await infrastructure.delivery.checkTemplates()) logger.warn(warning);
  const addresses = () => ({
    client,
    ...(leading?.addresses ?? NOT_LEADING),
  });
  const listening = () => Object.values(addresses()).filter((one) => one !== undefined);
  let waitsFor: string | undefined;

  return {
    get addresses() {
      return addresses();
    },
    lead,
    async reload(crypto) {
      const { keys } = infrastructure;
      if (crypto !== undefined && keys.renew(crypto)) {
        const [signs, ...former] = keys.signingIds;
        logger.info({ signs, former }, 'Other signing keys are in force');
        await inBackground(logger, 'Noting which key signs', () =>
          noteSigningKey(infrastructure.storage, infrastructure),
        );
      }
      await inBackground(logger, 'Reading the terms again', async () => {
        termsPolicy = await loadTerms(general.termsPath);
      });
      await leading?.reload();
    },
    metrics: () => infrastructure.metrics.registry.getMetricsAsJSON(),
    announceStop() {
      isStopping = true;
    },
    async leave() {
      await Promise.all(listening().map((one) => one.leave()));
    },
    get waitsFor() {
      return closing.current ?? waitsFor;
    },
    async close() {
      isStopping = true;
      waitsFor = 'requests under way';
      await stopListening(listening(), deps.drainLimit ?? DRAIN_LIMIT, logger);
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
