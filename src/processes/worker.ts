import { type App, startApp } from '../app/app.ts';
import { inBackground } from '../app/background.ts';
import type { Config } from '../config/config.ts';
import { parseSources } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { systemClock } from '../platform/clock.ts';
import { createLogger, type Logging } from '../platform/logger.ts';
import { VERSION } from '../platform/version.ts';
import { dieOfTheUnexpected, explain, isStop, tellFailedStart } from './life.ts';
import { type Link, openLink } from './link.ts';
import type { Order, Start } from './messages.ts';

/** What a terminal, or a service manager, sends to all processes: the supervisor passes on what it means. */
const SUPERVISORS = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGUSR2'] as const;

const cryptoIn = ({ keySources, keySecrets }: Pick<Start, 'keySources' | 'keySecrets'>) =>
  parseSources(keySources, { ...surroundings(), secrets: keySecrets }).config.crypto;

/** Serves clients beside other processes until the supervisor says to stop. The way to it would keep the process alive. */
export async function serveAsWorker(): Promise<never> {
  for (const signal of SUPERVISORS) process.on(signal, () => {});
  const { promise: started, resolve: start } = Promise.withResolvers<Start>();
  const stopping = new AbortController();
  // Those that come during the start are obeyed after it.
  const early: Order[] = [];
  let obey = (order: Order) => void early.push(order);
  const link = openLink((order) => {
    if (order.kind === 'start') start(order);
    else if (order.kind === 'stop') stopping.abort();
    else obey(order);
  });
  link.report({ kind: 'waiting', version: VERSION });

  const begin = await started;
  const { config, values, logging } = await prepare(begin).catch((error: unknown) => {
    // There is no log to say it in.
    process.stderr.write(
      `A worker cannot start: ${error instanceof Error ? error.message : error}\n`,
    );
    process.exit(1);
  });
  const { logger, terminal, reportTo } = logging;
  dieOfTheUnexpected(logging);
  let app: App;
  try {
    const among = link.among({ isFirst: begin.isFirst, file: begin.heldFile });
    const { signal } = stopping;
    app = await startApp(config, { logger, signal, terminal, reportTo, among, values });
  } catch (error) {
    const isStopped = isStop(error, stopping.signal);
    if (isStopped) logger.info('Stopped before the start was done; the next start goes on with it');
    else tellFailedStart(error, logger, config.general.log.path);
    await logging.close();
    process.exit(isStopped ? 0 : 1);
  }
  const running = { app, link, logging, end: () => stopping.abort() };
  obey = (order) =>
    void inBackground(logger, `The order to ${order.kind}`, () => carryOut(order, running));
  for (const order of early) obey(order);
  link.report({ kind: 'ready' });

  const { signal } = stopping;
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  await app.close();
  await link.deliver({ kind: 'counted-last', snapshot: await app.metrics().catch(() => []) });
  await logging.close();
  // What was cut off or left behind would keep the process alive.
  process.exit(0);
}

/** Reads what it was handed, and opens the log. */
async function prepare({ sources, secrets, ...keys }: Start) {
  const { config: written, values } = parseSources(sources, { ...surroundings(), secrets });
  const config: Config = { ...written, crypto: cryptoIn(keys) };
  const logging = await createLogger(config.general.log, { clock: systemClock, isShared: true });
  return { config, values, logging };
}

interface Running {
  readonly app: App;
  readonly link: Link;
  readonly logging: Logging;
  /** Stops this worker. */
  readonly end: () => void;
}

async function carryOut(order: Order, { app, link, logging, end }: Running) {
  switch (order.kind) {
    case 'lead':
      try {
        await app.lead();
        link.report({ kind: 'leads' });
      } catch (error) {
        logging.logger.error(explain(error), 'This worker cannot do what one does for all');
        link.report({ kind: 'cannot-lead' });
      }
      break;
    case 'renew':
      logging.reopen();
      await app.reload(order.keys && cryptoIn(order.keys));
      break;
    case 'count':
      link.report({ kind: 'counted', id: order.id, snapshot: await app.metrics() });
      break;
    case 'retire':
      await app.leave();
      await link.leave();
      end();
      break;
    case 'announce-stop':
      app.announceStop();
      break;
  }
}
