import { useState } from 'preact/hooks';
import { look } from '../api.ts';
import { type History, slotsOf } from '../history.ts';
import { Chart } from '../parts/chart.tsx';
import { Choice } from '../parts/choice.tsx';
import { Await, useLoaded } from '../parts/loading.tsx';
import { Panel } from '../parts/panel.tsx';
import { TEXTS } from '../texts.ts';

const T = TEXTS.charts;
const SPANS = Object.entries(T.spans) as [keyof typeof T.spans, string][];
const DAY = 24 * 60 * 60 * 1000;
const MINUTE = 60 * 1000;

function duration(milliseconds: number): string {
  const minutes = Math.round(milliseconds / MINUTE);
  if (minutes < 120) return T.minutes(minutes);
  const hours = Math.round(minutes / 60);
  return hours < 48 ? T.hours(hours) : T.days(Math.round(hours / 24));
}

/** Those of phones are there where there are any. */
function isShown({ metrics }: History, name: string): boolean {
  const metric = metrics.find((one) => one.name === name);
  if (metric === undefined) return false;
  return !name.startsWith('msisdn') || metric.points.some(({ value }) => value > 0);
}

interface ChartsProps {
  readonly title: string;
  /** The metrics, by the names of the server. */
  readonly names: readonly (keyof typeof T.names)[];
  /** Changes when it is to be looked at anew. */
  readonly round?: number;
}

/** How some numbers were in the last day, or month. */
export function ChartsPanel({ title, names, round = 0 }: ChartsProps) {
  const [span, setSpan] = useState<keyof typeof T.spans>('day');
  const days = span === 'day' ? 2 : 30;
  const history = useLoaded(`history ${days} ${round}`, (signal) =>
    look('history', { days }, signal),
  );
  return (
    <Panel
      title={title}
      actions={<Choice label={T.span} value={span} options={SPANS} set={setSpan} />}
    >
      <Await of={history}>
        {(one) => (
          <ul class="charts">
            {names
              .filter((name) => isShown(one, name))
              .map((name) => (
                <Chart
                  key={name}
                  title={T.names[name]}
                  slots={slotsOf(one, name, span === 'day' ? one.to - DAY : one.from)}
                  kind={one.metrics.find((metric) => metric.name === name)?.kind ?? 'flow'}
                  unit={one.unit}
                  {...(name === 'outbox age' && { shown: duration })}
                />
              ))}
          </ul>
        )}
      </Await>
    </Panel>
  );
}
