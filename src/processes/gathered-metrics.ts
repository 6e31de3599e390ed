import { AggregatorRegistry } from 'prom-client';
import type { MetricsSnapshot } from '../platform/metrics.ts';

/** The metrics of several processes, added up; what was counted by those that are gone stays. */
export interface GatheredMetrics {
  /**
   * All together, in Prometheus' text format.
   * @param now of each that runs, by a name of its own; of one that has not said them, those it said last
   */
  text(now: ReadonlyMap<number, MetricsSnapshot | undefined>): Promise<string>;
  /** What that process has counted until now. */
  keep(process: number, counted: MetricsSnapshot): void;
  /** That process is gone. What it counted since it was last asked is lost. */
  gone(process: number): Promise<void>;
}

/** Of what is gone only what was counted is true still. */
const GROWS = new Set(['counter', 'histogram', 'summary']);

const added = (all: MetricsSnapshot[]) => AggregatorRegistry.aggregate(all);

export function createGatheredMetrics(): GatheredMetrics {
  const last = new Map<number, MetricsSnapshot>();
  let ofGone: MetricsSnapshot = [];

  return {
    async text(now) {
      for (const [process, snapshot] of now) if (snapshot) last.set(process, snapshot);
      const known = [...now.keys()].map((process) => last.get(process) ?? []);
      return added([...known, ofGone]).metrics();
    },
    keep: (process, counted) => void last.set(process, counted),
    async gone(process) {
      const snapshot = last.get(process) ?? [];
      last.delete(process);
      const counted = snapshot.filter(({ type }) => GROWS.has(String(type)));
      ofGone = await added([ofGone, counted]).getMetricsAsJSON();
    },
  };
}
