import type { Logger } from 'pino';
import type { Clock } from './clock.ts';
import type { ErrorListener } from './logger.ts';
import type { OutboundClient } from './outbound/outbound.ts';
import type { Random } from './random.ts';
import { VERSION } from './version.ts';

/** Where a Sentry project takes reports, and the key by which. */
export interface ReportTarget {
  readonly url: string;
  readonly key: string;
}

/** A DSN: `https://KEY@HOST/PROJECT`, perhaps with a path before the project; undefined when it is none. */
export function parseDsn(dsn: string): ReportTarget | undefined {
  const url = URL.canParse(dsn) ? new URL(dsn) : undefined;
  const [, path = '', project] = /^(.*)\/(\d+)$/.exec(url?.pathname ?? '') ?? [];
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username === '') return undefined;
  if (project === undefined) return undefined;
  return { url: `${url.protocol}//${url.host}${path}/api/${project}/envelope/`, key: url.username };
}

/** A line of the log that tells of an error. */
interface ErrorLine {
  readonly level?: unknown;
  readonly msg?: unknown;
  readonly err?: { readonly type?: unknown; readonly message?: unknown; readonly stack?: unknown };
  readonly reason?: unknown;
}

export interface ErrorReportsDependencies {
  readonly outbound: Pick<OutboundClient, 'request'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** This server's name. */
  readonly serverName: string;
}

/** Milliseconds: between two reports of the same, and for one report. */
const SAME_AGAIN = 60_000;
const TIME = { answer: 5000, total: 5000 };
/** So many different ones are told apart, and so many are under way. */
const MOST = { known: 200, underWay: 5 };

/** The places of a stack, the innermost last. */
function framesOf(stack: string): object[] {
  const places = stack.split('\n').map((line) => line.trim());
  return places
    .filter((place) => place.startsWith('at '))
    .map((place) => {
      const open = place.lastIndexOf(' (');
      const where = open < 0 ? place.slice('at '.length) : place.slice(open + 2, -1);
      const [column, line, ...file] = where.split(':').reverse();
      const filename = file
        .reverse()
        .join(':')
        .replace(/^file:\/\//, '');
      return {
        function: open < 0 ? '?' : place.slice('at '.length, open),
        filename,
        lineno: Number(line) || 0,
        colno: Number(column) || 0,
        in_app: !filename.includes('node_modules') && !filename.startsWith('node:'),
      };
    })
    .reverse();
}

const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' ? value : undefined;

/** An event as Sentry wants it: the message, the error with its stack, and nothing of who asked. */
function eventOf({ level, msg, err, reason }: ErrorLine, serverName: string): object {
  const stack = textOf(err?.stack) ?? '';
  const exception = {
    type: textOf(err?.type) ?? 'Error',
    value: textOf(err?.message) ?? '',
    ...(stack === '' ? {} : { stacktrace: { frames: framesOf(stack) } }),
  };
  return {
    level,
    platform: 'node',
    server_name: serverName,
    release: `cognomen@${VERSION}`,
    message: { formatted: textOf(msg) ?? '' },
    ...(err === undefined ? {} : { exception: { values: [exception] } }),
    ...(textOf(reason) === undefined ? {} : { extra: { reason } }),
  };
}

/** Reports errors of the log to Sentry, with no more of them than the log says. */
export function createErrorReports(
  { url, key }: ReportTarget,
  { outbound, clock, random, logger, serverName }: ErrorReportsDependencies,
): ErrorListener {
  const lastSent = new Map<string, number>();
  const underWay = new Set<Promise<void>>();
  let isFailing = false;

  /** Whether it is not the same over and over again. */
  function isDue({ msg, err }: ErrorLine): boolean {
    const same = `${textOf(msg)} ${textOf(err?.type)} ${textOf(err?.stack)?.split('\n', 3).at(-1)}`;
    const now = clock.now();
    const last = lastSent.get(same);
    if (last !== undefined && now - last < SAME_AGAIN) return false;
    lastSent.delete(same);
    lastSent.set(same, now);
    const [oldest] = lastSent.keys();
    if (lastSent.size > MOST.known && oldest !== undefined) lastSent.delete(oldest);
    return true;
  }

  async function send(event: object): Promise<void> {
    const id = random.bytes(16).toString('hex');
    const now = new Date(clock.now()).toISOString();
    const parts = [{ event_id: id, sent_at: now }, { type: 'event' }];
    const body = [...parts, { event_id: id, timestamp: now, ...event }].map((part) =>
      JSON.stringify(part),
    );
    try {
      const { status } = await outbound.request({
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/x-sentry-envelope',
          'x-sentry-auth': `Sentry sentry_version=7, sentry_key=${key}, sentry_client=cognomen/${VERSION}`,
        },
        body: `${body.join('\n')}\n`,
        room: 'configured',
        time: TIME,
        maxBytes: 64 * 1024,
        configured: true,
        bodyIsOptional: true,
      });
      if (status >= 300) throw new Error(`it answered ${status}`);
      isFailing = false;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      // At this level nothing is reported.
      if (!isFailing)
        logger.warn({ reason }, 'Sentry (sentry_dsn) does not take reports of errors');
      isFailing = true;
    }
  }

  return {
    report(text) {
      if (underWay.size >= MOST.underWay) return;
      const line = JSON.parse(text) as ErrorLine;
      if (!isDue(line)) return;
      const sending = send(eventOf(line, serverName)).finally(() => underWay.delete(sending));
      underWay.add(sending);
    },
    async settled() {
      await Promise.all(underWay);
    },
  };
}
