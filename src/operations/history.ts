import { HOUR, hoursBetween, METRICS } from '../identity/history/history.ts';
import {
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  type Described,
  describedAs,
} from '../model/json-schema.ts';
import type { HistoryRow } from '../storage/stores/index.ts';
import { wholeNumber } from './input.ts';
import type { Operation } from './operation.ts';
import { time } from './text.ts';

const MOST_DAYS = 35;
/** For so many days each hour is told, for more each day. */
const DAYS_BY_HOUR = 2;

const HISTORY = anObject({
  from: anInteger,
  to: anInteger,
  unit: aWordOf('hour', 'day'),
  metrics: aList(
    anObject({
      name: aString,
      kind: describedAs(
        'flow: how many there were in that time; moment: how much there was, at the end of it',
        aWordOf('flow', 'moment'),
      ),
      points: describedAs(
        'Where time began (days in UTC), and the number; a time of which nothing is known, or in which nothing happened, is left out',
        aList(anObject({ at: anInteger, value: anInteger })),
      ),
    }),
  ),
});

type Metric = Described<typeof HISTORY>['metrics'][number];

/** The points of a metric, of so many hours each. */
function pointsOf(rows: readonly HistoryRow[], kind: Metric['kind'], hours: number) {
  const points = new Map<number, number>();
  for (const { hour, value } of rows) {
    const at = (hour - (hour % hours)) * HOUR;
    points.set(at, kind === 'flow' ? (points.get(at) ?? 0) + value : value);
  }
  return [...points].map(([at, value]) => ({ at, value }));
}

/** How much there was of what. */
export const showHistory: Operation<Described<typeof HISTORY>> = {
  resource: 'history',
  kind: 'overview',
  summary:
    'How much there was of what in the last days, by the hour or day: bindings, invitations, what is owed, messages, old calls',
  options: {
    days: {
      name: 'N',
      about: `Of so many days, 1 where it is not said; by the hour up to ${DAYS_BY_HOUR}, else by the day`,
    },
  },
  result: HISTORY,
  async run({ options }, { storage, clock }) {
    const days = Math.max(1, wholeNumber('days', options['days'] ?? '1', MOST_DAYS));
    const unit = days > DAYS_BY_HOUR ? 'day' : 'hour';
    const hours = unit === 'day' ? 24 : 1;
    const end = Math.floor(clock.now() / HOUR) + 1;
    // The day, or hour, that has begun is one of them.
    const begin = Math.floor((end - 1) / hours) * hours + hours - days * 24;
    const rows = await hoursBetween(storage.stores, begin, end);
    const told = (kind: Metric['kind'], names: readonly string[]) =>
      names.map((name): Metric => {
        const own = rows.filter(({ metric }) => metric === name);
        return { name, kind, points: pointsOf(own, kind, hours) };
      });
    return {
      from: begin * HOUR,
      to: end * HOUR,
      unit,
      metrics: [...told('moment', METRICS.moments), ...told('flow', METRICS.flows)],
    };
  },
  text: ({ metrics }) =>
    metrics
      .flatMap(({ name, points }) =>
        points.map(({ at, value }) => `${time(at)}  ${name}  ${value}`),
      )
      .join('\n') || 'nothing is known of that time yet',
};
