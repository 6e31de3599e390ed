import { backoff } from '../backoff.ts';
import { OutboundError } from '../outbound/outbound-error.ts';
import { outside } from './scope.ts';
import type { TracingSettings } from './settings.ts';
import type { TracingDependencies } from './tracing.ts';

/** Takes spans that have ended to the collector. */
export interface Exporter<S> {
  /** Returns at once; where too many wait, it is left out. */
  add(span: S): void;
  /** Sends what is left, as far as there is time. */
  stop(): Promise<void>;
}

/** Milliseconds between attempts, and for what is left at a stop. */
const LONGEST_PAUSE = 60_000;
const STOP = 3000;
/** Failures in a row after which what was not taken is given up. */
const TRIES = 5;
/** What a collector answers that may take the same later. */
const LATER = new Set([408, 429, 502, 503, 504]);

type Outcome = 'sent' | 'refused' | 'unreachable';

/**
 * Sends spans in batches, one after the other. A collector that does not take them costs their memory, up to what may
 * wait, and nothing else.
 * @param encode the body of a request, in OTLP as JSON
 */
export function createExporter<S>(
  { url, headers, timeout, queue }: TracingSettings,
  encode: (spans: S[]) => Uint8Array,
  { outbound, metrics, random, logger }: TracingDependencies,
): Exporter<S> {
  const ending = new AbortController();
  let waiting: S[] = [];
  let failures = 0;
  let timer: NodeJS.Timeout | undefined;
  let sending: Promise<void> | undefined;
  let isStopped = false;

  function schedule(): void {
    if (timer !== undefined || sending !== undefined || isStopped) return;
    const pause = failures > 0 ? backoff(failures, { random, longest: LONGEST_PAUSE }) : 0;
    timer = outside(() => setTimeout(start, Math.max(pause, queue.delay))).unref();
  }

  function start(): void {
    clearTimeout(timer);
    timer = undefined;
    if (sending !== undefined) return;
    sending = outside(sendAll).finally(() => {
      sending = undefined;
      if (waiting.length > 0) schedule();
    });
  }

  async function sendAll(): Promise<void> {
    do {
      await sendBatch();
    } while (failures === 0 && waiting.length >= queue.batch);
  }

  async function sendBatch(): Promise<void> {
    const batch = waiting.slice(0, queue.batch);
    waiting = waiting.slice(queue.batch);
    const { outcome, reason } = await post(encode(batch));
    if (outcome === 'sent') {
      if (failures > 0) logger.info('The collector takes traces again');
      failures = 0;
    } else {
      if (failures === 0) logger.warn({ reason }, 'The collector does not take traces');
      failures++;
    }
    // It may take them later.
    if (outcome === 'unreachable' && failures < TRIES && !isStopped) waiting.unshift(...batch);
    else metrics.spans(outcome, batch.length);
  }

  async function post(body: Uint8Array): Promise<{ outcome: Outcome; reason?: string }> {
    try {
      const { status } = await outbound.request({
        method: 'POST',
        url,
        headers: { ...headers, 'content-type': 'application/json' },
        body,
        room: 'configured',
        time: { answer: timeout, total: timeout },
        maxBytes: 64 * 1024,
        configured: true,
        bodyIsOptional: true,
        isQuiet: true,
        signal: ending.signal,
      });
      if (status >= 200 && status < 300) return { outcome: 'sent' };
      const outcome = LATER.has(status) ? 'unreachable' : 'refused';
      return { outcome, reason: `it answered ${status}` };
    } catch (error) {
      const reason = error instanceof OutboundError ? error.message : String(error);
      return { outcome: 'unreachable', reason };
    }
  }

  return {
    add(span) {
      if (isStopped || waiting.length >= queue.most) return metrics.spans('left_out', 1);
      waiting.push(span);
      if (waiting.length >= queue.batch && failures === 0) start();
      else schedule();
    },
    async stop() {
      isStopped = true;
      clearTimeout(timer);
      const limit = setTimeout(() => ending.abort(new Error('this server is stopping')), STOP);
      await sending;
      while (waiting.length > 0 && failures === 0) await sendBatch();
      clearTimeout(limit);
      if (waiting.length > 0) metrics.spans('unreachable', waiting.length);
      waiting = [];
    },
  };
}
