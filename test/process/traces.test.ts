import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { startCollector, type TestCollector } from '../support/collector.ts';
import { temporaryFolder } from '../support/databases.ts';
import { freePort } from '../support/free-port.ts';
import { get } from '../support/http.ts';
import { type ServerProcess, spawnCognomen, writeConfig } from '../support/process.ts';
import { askAnew } from '../support/workers.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let collector: TestCollector;
let server: ServerProcess | undefined;

beforeEach(async () => {
  folder = await temporaryFolder();
  collector = await startCollector();
});
afterEach(async () => {
  await server?.stop('SIGKILL');
  await collector.close();
  await folder.remove();
});

/** Has a process say in its log when it loads what makes traces, with OpenTelemetry inside. */
const TELLING = `
import { registerHooks } from 'node:module';
registerHooks({
  resolve(specifier, context, next) {
    if (/\\/opentelemetry\\.[jt]s$/.test(specifier)) process._rawDebug('loads OpenTelemetry');
    return next(specifier, context);
  },
});`;

async function start(env: Record<string, string>, general = '') {
  const port = await freePort();
  const { url } = await writeConfig(folder.path, {
    general: `prometheus_port = ${port}\nprometheus_addr = 127.0.0.1\n${general}`,
  });
  const hook = path.join(folder.path, 'telling.mjs');
  await writeFile(hook, TELLING);
  const running = spawnCognomen([], {
    cwd: folder.path,
    env: { NODE_OPTIONS: `--import ${hook}`, ...env },
  });
  server = running;
  await running.untilLogged('"Ready"');
  const ping = async () => expect((await get(`${url}/_matrix/identity/v2`)).status).toBe(200);
  const metric = async (outcome: string, name = 'cognomen_trace_spans_total') => {
    const { text } = await get(`http://127.0.0.1:${port}/metrics`);
    const line = `^${name}\\{outcome="${outcome}"\\} (\\d+)$`;
    return Number(new RegExp(line, 'm').exec(text)?.[1] ?? 0);
  };
  return { running, url, ping, metric };
}

const times = (text: string, part: string) => text.split(part).length - 1;
const often = { OTEL_BSP_SCHEDULE_DELAY: '10' };

describe('traces', () => {
  test('are off, and nothing of them is loaded, unless an endpoint is named', async () => {
    for (const env of [
      {},
      { OTEL_SERVICE_NAME: 'identity', OTEL_TRACES_SAMPLER: 'always_on' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_SDK_DISABLED: 'true' },
      { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_EXPORTER: 'none' },
    ]) {
      const { running, ping } = await start(env);
      await ping();
      expect(await running.stop()).toBe(0);
      expect(running.log()).not.toContain('loads OpenTelemetry');
    }
    expect(collector.received).toEqual([]);
    const { running } = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url });
    expect(running.log()).toContain('loads OpenTelemetry');
  });

  test('that are not sent yet are at a stop; secrets of the collector stay out of the log', async () => {
    const { running, ping } = await start({
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-key=hush-hush',
    });
    await ping();
    expect(await running.stop()).toBe(0);
    expect(collector.spans.map(({ name }) => name)).toContain('GET /_matrix/identity/v2');
    expect(collector.received[0]?.headers['x-key']).toBe('hush-hush');
    expect(running.log()).not.toContain('hush-hush');
  });

  test('of several workers tell which has made them', async () => {
    const { running, url } = await start(
      { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...often },
      'workers = 2',
    );
    const pids = () => new Set(collector.spans.map(({ resource }) => resource['process.pid']));
    await expect
      .poll(async () => {
        await askAnew(`${url}/_matrix/identity/v2`);
        return pids().size;
      })
      .toBe(2);
    expect(pids()).not.toContain(running.pid);
    expect(await running.stop()).toBe(0);
  });

  test('that nobody takes are told of once, counted, and in nobody’s way', async () => {
    const nowhere = await freePort();
    const env = {
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${nowhere}`,
      OTEL_BSP_MAX_QUEUE_SIZE: '5',
      ...often,
    };
    const { running, ping, metric } = await start(env);
    for (let index = 0; index < 20; index++) await ping();
    await expect.poll(() => metric('left_out')).toBeGreaterThan(0);
    await running.untilLogged('The collector does not take traces');
    const attempts = () => metric('unreachable', 'cognomen_outbound_requests_total');
    await expect.poll(attempts).toBeGreaterThan(2);
    const late = await startCollector(nowhere);
    await expect.poll(() => late.spans.length).toBeGreaterThan(0);
    await running.untilLogged('The collector takes traces again');
    expect(times(running.log(), 'The collector does not take traces')).toBe(1);
    expect(running.log()).not.toContain('Outbound request failed');
    expect(await metric('sent')).toBeGreaterThan(0);
    expect(await running.stop()).toBe(0);
    await late.close();
  });

  test('that are refused are given up, and counted', async () => {
    collector.answer((response) => response.writeHead(401).end());
    const { running, ping, metric } = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      ...often,
    });
    await ping();
    await expect.poll(() => metric('refused')).toBeGreaterThan(0);
    await running.untilLogged('it answered 401');
    expect(await running.stop()).toBe(0);
  });

  test('to a collector that never answers hold up no request, and no stop', async () => {
    collector.answer(() => {});
    const { running, ping } = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      ...often,
    });
    await ping();
    await expect.poll(() => collector.received.length).toBe(1);
    await ping();
    expect(await running.stop()).toBe(0);
    expect(running.log()).not.toContain('takes too long to stop');
  });

  test('wrong variables are warned of by name, and never by value', async () => {
    const { running } = await start({
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
      OTEL_EXPORTER_OTLP_HEADERS: 'hush-hush',
      OTEL_TRACES_SAMPLER: 'sometimes',
      OTEL_BSP_SCHEDULE_DELAY: '-1',
    });
    for (const name of ['PROTOCOL is set', 'HEADERS is', 'SAMPLER is none', 'DELAY is not']) {
      expect(running.log()).toMatch(new RegExp(`"level":"warn".*OTEL_\\w*${name}`));
    }
    expect(running.log()).not.toMatch(/hush-hush|sometimes/);
    await running.stop();
    const broken = await start({ OTEL_EXPORTER_OTLP_ENDPOINT: 'grpc://user:hush-hush@collector' });
    expect(broken.running.log()).toContain('no traces are made');
    expect(broken.running.log()).not.toMatch(/hush-hush|loads OpenTelemetry/);
  });
});
