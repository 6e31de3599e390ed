import type { History, Slot } from '../history.ts';
import { TEXTS } from '../texts.ts';
import { Table } from './table.tsx';

const T = TEXTS.charts;
const HIGH = 40;
const WIDE = 8;

const HOURS = new Intl.DateTimeFormat('en-GB', {
  weekday: 'short',
  hour: '2-digit',
  minute: '2-digit',
});
/** Days are those of UTC. */
const DAYS = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', timeZone: 'UTC' });

const isKnown = (slot: Slot): slot is Slot & { value: number } => slot.value !== undefined;

/** A bar for each. */
const Bars = ({ slots, most }: { readonly slots: readonly Slot[]; readonly most: number }) => (
  <>
    {slots.map(({ at, value = 0 }, place) => {
      const height = most === 0 ? 0 : Math.max(value === 0 ? 0 : 1, (value / most) * HIGH);
      return (
        <rect key={at} x={place * WIDE + 1} y={HIGH - height} width={WIDE - 2} height={height} />
      );
    })}
  </>
);

/** A line from one to the next, between the least and the most. */
function Line({ slots, least, most }: { slots: readonly Slot[]; least: number; most: number }) {
  const at = ({ value }: { value: number }) =>
    most === least ? HIGH / 2 : HIGH - 2 - ((value - least) / (most - least)) * (HIGH - 4);
  const points = slots.flatMap((slot, place) =>
    isKnown(slot) ? [`${place * WIDE + WIDE / 2},${at(slot).toFixed(1)}`] : [],
  );
  // One alone makes no line.
  const [first] = points;
  const all =
    points.length === 1 && first
      ? [first, `${slots.length * WIDE},${first.split(',')[1]}`]
      : points;
  return <polyline points={all.join(' ')} />;
}

interface ChartProps {
  readonly title: string;
  readonly slots: readonly Slot[];
  readonly kind: 'flow' | 'moment';
  readonly unit: History['unit'];
  readonly shown?: (value: number) => string;
}

/** A number over time: as a small picture, in words, and as a table. */
export function Chart({
  title,
  slots,
  kind,
  unit,
  shown = (one) => one.toLocaleString('en'),
}: ChartProps) {
  const values = slots.filter(isKnown).map(({ value }) => value);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const sum = values.reduce((before, value) => before + value, 0);
  const format = unit === 'day' ? DAYS : HOURS;
  const words =
    kind === 'flow'
      ? T.flow(shown(sum), shown(most), unit)
      : T.moment(shown(values.at(-1) ?? 0), shown(least), shown(most));
  return (
    <li class="chart">
      <h3>{title}</h3>
      {values.length === 0 ? (
        <p class="hint">{T.unknown}</p>
      ) : (
        <>
          <svg
            class={`chart-picture ${kind}`}
            viewBox={`0 0 ${slots.length * WIDE} ${HIGH}`}
            preserveAspectRatio="none"
            aria-hidden="true"
          >
            {kind === 'flow' ? (
              <Bars slots={slots} most={most} />
            ) : (
              <Line slots={slots} least={least} most={most} />
            )}
          </svg>
          <p class="chart-words">{words}</p>
          <details>
            <summary>
              {T.table}
              <span class="hidden"> {title}</span>
            </summary>
            <Table
              caption={title}
              head={[unit === 'day' ? T.day : T.hour, T.number]}
              rows={slots
                .filter(isKnown)
                .toReversed()
                .map(({ at, value }) => [format.format(at), shown(value)])}
            />
          </details>
        </>
      )}
    </li>
  );
}
