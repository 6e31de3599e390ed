import { Counter, Gauge, Registry } from 'prom-client';
import { expect, test } from 'vitest';
import type { MetricsSnapshot } from '../../src/platform/metrics.ts';
import { createGatheredMetrics } from '../../src/processes/gathered-metrics.ts';

async function snapshot(count: number, level: number): Promise<MetricsSnapshot> {
  const registry = new Registry();
  const registers = [registry];
  const counter = new Counter({ name: 'done_total', help: 'x', labelNames: ['of'], registers });
  counter.inc({ of: 'a' }, count);
  new Gauge({ name: 'level', help: 'x', registers }).set(level);
  return (await registry.getMetricsAsJSON()) as unknown as MetricsSnapshot;
}

test('metrics are added up; what was counted by those that are gone stays, and nothing else of them', async () => {
  const gathered = createGatheredMetrics();
  const both = await gathered.text(
    new Map([
      [1, await snapshot(5, 10)],
      [2, await snapshot(7, 1)],
    ]),
  );
  expect(both).toContain('done_total{of="a"} 12');
  expect(both).toContain('level 11');

  gathered.keep(1, await snapshot(6, 10));
  await gathered.gone(1);
  await gathered.gone(3);
  for (let look = 0; look < 2; look++) {
    const one = await gathered.text(new Map([[2, await snapshot(7, 1)]]));
    expect(one).toContain('done_total{of="a"} 13');
    expect(one).toContain('level 1\n');
  }
  // One that is busy has not counted backwards.
  expect(await gathered.text(new Map([[2, undefined]]))).toContain('done_total{of="a"} 13');
  await gathered.gone(2);
  expect(await gathered.text(new Map([[4, await snapshot(1, 3)]]))).toContain(
    'done_total{of="a"} 14',
  );
});
