import { describe, expect, test } from 'vitest';
import { requestId, secureRandom } from '../../src/platform/random.ts';
import { readSettings } from '../../src/platform/tracing/settings.ts';
import { kindOf } from '../../src/platform/tracing/span.ts';
import { openTracing } from '../../src/platform/tracing/tracing.ts';
import { startCollector } from '../support/collector.ts';
import { startDnsServer } from '../support/dns-server.ts';
import { testOutbound } from '../support/outbound.ts';

const ENDPOINT = 'OTEL_EXPORTER_OTLP_ENDPOINT';
const settingsOf = (env: NodeJS.ProcessEnv) => readSettings(env).settings;

describe('the variables of OpenTelemetry', () => {
  test('say where traces go', () => {
    const urlOf = (env: NodeJS.ProcessEnv) => settingsOf(env)?.url;
    expect(urlOf({})).toBeUndefined();
    expect(urlOf({ [ENDPOINT]: ' ' })).toBeUndefined();
    expect(urlOf({ [ENDPOINT]: 'http://a.test:4318' })).toBe('http://a.test:4318/v1/traces');
    expect(urlOf({ [ENDPOINT]: 'https://a.test/sub/' })).toBe('https://a.test/sub/v1/traces');
    const own = { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://b.test/mine?x=1' };
    expect(urlOf({ [ENDPOINT]: 'http://a.test', ...own })).toBe('http://b.test/mine?x=1');
    for (const off of [
      { OTEL_SDK_DISABLED: 'TRUE' },
      { OTEL_TRACES_EXPORTER: 'none' },
      { OTEL_TRACES_EXPORTER: 'console' },
      { [ENDPOINT]: 'a.test:4318' },
      { [ENDPOINT]: 'http://user:secret@a.test' },
    ]) {
      expect(urlOf({ [ENDPOINT]: 'http://a.test', ...off })).toBeUndefined();
    }
  });

  test('say how, and what is wrong is left out with a warning that has no value in it', () => {
    const env = {
      [ENDPOINT]: 'http://a.test',
      OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20x,x-a=1',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'x-a=2',
      OTEL_EXPORTER_OTLP_TIMEOUT: '2000',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '3000',
      OTEL_SERVICE_NAME: 'identity',
      OTEL_RESOURCE_ATTRIBUTES: 'a=b%20c, d = e ,',
      OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.25',
      OTEL_BSP_MAX_QUEUE_SIZE: '100',
    };
    expect(readSettings(env)).toEqual({
      warnings: [],
      settings: {
        url: 'http://a.test/v1/traces',
        headers: { authorization: 'Bearer x', 'x-a': '2' },
        timeout: 3000,
        serviceName: 'identity',
        resource: { a: 'b c', d: 'e' },
        sampler: 'parentbased_traceidratio',
        ratio: 0.25,
        queue: { delay: 5000, most: 100, batch: 100 },
      },
    });
    const wrong = readSettings({
      ...env,
      OTEL_EXPORTER_OTLP_HEADERS: 'a=hush%0d%0aX: y',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'hush',
      OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: 'hush',
      OTEL_RESOURCE_ATTRIBUTES: 'a=%zz',
      OTEL_TRACES_SAMPLER_ARG: '2',
    });
    expect(wrong.settings).toMatchObject({ headers: {}, timeout: 10_000, resource: {}, ratio: 1 });
    expect(wrong.warnings).toHaveLength(5);
    expect(wrong.warnings.join()).not.toMatch(/hush|%zz/);
  });
});

test('of an error its kind is told, and never its text', () => {
  const told = (more: object) => kindOf(Object.assign(new Error('of ada@sample.test'), more));
  expect(told({})).toBe('Error');
  expect(told({ code: '23505' })).toBe('23505');
  expect(told({ code: 'ada@sample.test' })).toBe('Error');
  expect(kindOf({ message: 'ada@sample.test' })).toBe('_OTHER');
});

test('a ratio chooses whole traces', async () => {
  const dns = await startDnsServer();
  const collector = await startCollector();
  const { outbound, metrics, clock, logger } = testOutbound({ dns });
  const tracing = await openTracing({
    env: {
      [ENDPOINT]: collector.url,
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
    },
    ...{ outbound, metrics, clock, logger, random: secureRandom },
  });
  for (let count = 0; count < 400; count++) {
    const root = tracing?.begin(requestId(), { name: 'root' });
    root?.child({ name: 'part' }).end();
    root?.end();
  }
  await tracing?.stop();
  const roots = collector.spans.filter(({ name }) => name === 'root');
  expect(roots.length).toBeGreaterThan(100);
  expect(roots.length).toBeLessThan(300);
  const ids = new Set(roots.map(({ traceId }) => traceId));
  const parts = collector.spans.filter(({ name }) => name === 'part');
  expect(parts.length).toBe(roots.length);
  for (const { traceId } of parts) expect(ids).toContain(traceId);
  await outbound.close();
  await collector.close();
  await dns.close();
});
