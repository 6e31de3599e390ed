import { readFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { createWorkerMetrics } from '../../src/platform/worker-metrics.ts';
import { get } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const read = (file: string) => readFile(new URL(`../../contrib/${file}`, import.meta.url), 'utf8');

interface Panel {
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number };
  readonly targets?: readonly { readonly expr: string }[];
}

let server: TestServer;
/** The names of what is served, and of what a supervisor of workers adds. */
let served: Set<string>;
beforeAll(async () => {
  server = await startTestServer();
  const texts = [
    (await get(`${server.metricsUrl}/metrics`)).text,
    await createWorkerMetrics().registry.metrics(),
  ];
  served = new Set();
  for (const [, name = '', type] of texts.join('\n').matchAll(/^# TYPE (\S+) (\S+)$/gm)) {
    served.add(name);
    if (type === 'histogram')
      for (const end of ['bucket', 'sum', 'count']) served.add(`${name}_${end}`);
  }
});
afterAll(() => server.stop());

/** The names of metrics in an expression of PromQL. */
const metricsIn = (expression: string) =>
  expression
    .replaceAll(/\{[^}]*\}|\b(?:by|on) \([^)]*\)/g, '')
    .match(/\b(?:cognomen|sydent|process|nodejs)_[a-z0-9_]+/g) ?? [];

function isBalanced(expression: string): boolean {
  const opened: string[] = [];
  const pairs: Readonly<Record<string, string>> = { ')': '(', '}': '{', ']': '[' };
  for (const character of expression.replaceAll(/"[^"]*"/g, '')) {
    if ('({['.includes(character)) opened.push(character);
    if (character in pairs && opened.pop() !== pairs[character]) return false;
  }
  return opened.length === 0;
}

function check(expression: string): void {
  const names = metricsIn(expression);
  expect(names, expression).not.toEqual([]);
  expect(
    names.filter((name) => !served.has(name)),
    expression,
  ).toEqual([]);
  expect(isBalanced(expression), expression).toBe(true);
}

describe('what there is to monitor with', () => {
  test('alert rules ask for metrics that are served, and say what to do', async () => {
    const { groups } = parse(await read('prometheus/cognomen-alerts.yaml'));
    const rules = groups.flatMap((group: { rules: unknown[] }) => group.rules);
    expect(rules.length).toBeGreaterThan(8);
    for (const { alert, expr, labels, annotations } of rules) {
      check(expr);
      expect(alert).toMatch(/^Cognomen[A-Za-z]+$/);
      expect(['warning', 'critical']).toContain(labels.severity);
      expect(annotations.summary).not.toBe('');
      expect(annotations.description).not.toBe('');
    }
  });

  test('the dashboard shows metrics that are served, none beside another', async () => {
    const dashboard: { panels: Panel[] } = JSON.parse(await read('grafana/cognomen.json'));
    const expressions = dashboard.panels.flatMap(({ targets = [] }) =>
      targets.map(({ expr }) => expr),
    );
    for (const expression of expressions) check(expression);
    const places = dashboard.panels.map(({ gridPos: { x, y } }) => `${x},${y}`);
    expect(new Set(places).size).toBe(places.length);
    for (const { gridPos } of dashboard.panels)
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });
});
