import type { Looks } from './api.ts';

export type History = Looks['history'];

/** A time of a chart; undefined: nothing is known of it. */
export interface Slot {
  readonly at: number;
  readonly value: number | undefined;
}

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

/** The metric from then on, with every hour or day in it; what happened in none of which anything is known is 0. */
export function slotsOf({ metrics, from, to, unit }: History, name: string, since = from): Slot[] {
  const metric = metrics.find((one) => one.name === name);
  const known = new Map(metric?.points.map(({ at, value }) => [at, value]));
  const begun = Math.min(...metrics.flatMap(({ points }) => points.map(({ at }) => at)));
  const step = unit === 'day' ? DAY : HOUR;
  const slots: Slot[] = [];
  for (let at = from; at < to; at += step) {
    if (at < since) continue;
    const nothing = metric?.kind === 'flow' && at >= begun ? 0 : undefined;
    slots.push({ at, value: known.get(at) ?? nothing });
  }
  return slots;
}

/** When a day began, here: so many days ago. */
function midnight(daysAgo: number): number {
  const day = new Date();
  day.setHours(0, 0, 0, 0);
  day.setDate(day.getDate() - daysAgo);
  return day.getTime();
}

/** How many there were on a day, as whoever looks has it; so many days ago. */
export const onDay = (history: History, name: string, daysAgo: number): number =>
  slotsOf(history, name, midnight(daysAgo))
    .filter(({ at }) => at < midnight(daysAgo - 1))
    .reduce((sum, { value = 0 }) => sum + value, 0);
