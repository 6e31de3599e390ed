import { Counter, Histogram, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { createHttpMetrics } from '../../src/platform/http-metrics.ts';

const REQUESTS = [
  ['client', '/a', 'PingServlet', 'GET', 200, 0.0004],
  ['client', '/a', 'PingServlet', 'GET', 200, 0.001],
  ['client', '/a', 'PingServlet', 'GET', 404, 0.7],
  ['client', '/a', 'PingServlet', 'POST', 405, 12],
  ['internal', '/a', undefined, 'GET', 200, 0.05],
  ['client', '/b', 'PingServlet', 'GET', 200, 0.01],
] as const;

/** The lines of metrics' values, in no order; sums to the nanosecond, as they are not added up in the same order. */
const lines = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.replace(/(?<=_sum.* )[\d.]+$/, (sum) => Number(sum).toFixed(9)))
    .toSorted();

test('requests are counted as the library would count each of them', async () => {
  const ours = new Registry();
  const note = createHttpMetrics(ours);
  const theirs = new Registry();
  const registers = [theirs];
  const servlets = new Counter({
    name: 'sydent_http_received_requests_total',
    help: 'x',
    labelNames: ['servlet', 'method'],
    registers,
  });
  const requests = new Counter({
    name: 'cognomen_http_requests_total',
    help: 'x',
    labelNames: ['listener', 'route', 'method', 'status'],
    registers,
  });
  const durations = new Histogram({
    name: 'cognomen_http_request_duration_seconds',
    help: 'x',
    labelNames: ['listener', 'route', 'method'],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
    registers,
  });
  // Twice, as metrics are read more than once.
  for (let time = 0; time < 2; time++) {
    for (const [listener, route, servlet, method, status, seconds] of REQUESTS) {
      note({ listener, route, servlet, method, status, seconds });
      if (servlet !== undefined) servlets.inc({ servlet, method });
      requests.inc({ listener, route, method, status });
      durations.observe({ listener, route, method }, seconds);
    }
    expect(lines(await ours.metrics())).toEqual(lines(await theirs.metrics()));
  }
});

test('methods that anybody can make up are one', async () => {
  const registry = new Registry();
  const note = createHttpMetrics(registry);
  for (let i = 0; i < 100; i++) {
    note({
      listener: 'client',
      route: '/',
      servlet: undefined,
      method: `M${i}`,
      status: 405,
      seconds: 0,
    });
  }
  const text = await registry.metrics();
  expect(text).toContain(
    'cognomen_http_requests_total{listener="client",route="/",method="other",status="405"} 100',
  );
  expect(text).not.toContain('M1');
});
