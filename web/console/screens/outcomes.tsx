import { useState } from 'preact/hooks';
import { type Looks, look } from '../api.ts';
import { Choice } from '../parts/choice.tsx';
import { Await, useLoaded } from '../parts/loading.tsx';
import { Badge, Empty, Notice, type Tone } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Said } from '../parts/said.tsx';
import { Table } from '../parts/table.tsx';
import { When } from '../parts/when.tsx';
import { TEXTS } from '../texts.ts';
import { ChartsPanel } from './charts.tsx';

const T = TEXTS.messages;
type Outcomes = Looks['messages/outcomes'];

const DAYS = ['1', '7', '30'] as const;
const TONES: Readonly<Record<string, Tone>> = {
  sent: 'ok',
  delivered: 'ok',
  unknown: 'warning',
  delayed: 'warning',
  'not-sent': 'problem',
  bounced: 'problem',
};

const number = (count: number) => count.toLocaleString('en');
const mediumOf = (medium: string) => TEXTS.media[medium] ?? medium;

const Become = ({ event }: { readonly event: string }) => (
  <Badge tone={TONES[event] ?? 'calm'}>{T.events[event] ?? event}</Badge>
);

const Events = ({ events }: Pick<Outcomes, 'events'>) => {
  const media = [...new Set(events.map(({ medium }) => medium))].sort();
  const order = Object.keys(T.events);
  const kinds = [...new Set(events.map(({ event }) => event))].sort(
    (a, b) => order.indexOf(a) - order.indexOf(b),
  );
  const times = (medium: string, kind: string) =>
    events.find((one) => one.medium === medium && one.event === kind)?.times ?? 0;
  return (
    <Table
      caption={T.outcomes}
      head={[T.what, ...media.map(mediumOf)]}
      rows={kinds.map((kind) => [
        <Become key={kind} event={kind} />,
        ...media.map((medium) => number(times(medium, kind))),
      ])}
    />
  );
};

const Replies = ({ replies }: Pick<Outcomes, 'replies'>) =>
  replies.length === 0 ? (
    <Empty title={T.noReplies} />
  ) : (
    <Table
      caption={T.replies}
      head={[T.reply, T.what, T.times, T.last]}
      rows={replies.map(({ event, reply, times, last }) => [
        <Said key="reply" text={reply} />,
        <Become key="event" event={event} />,
        number(times),
        <When key="last" at={last} />,
      ])}
    />
  );

const Domains = ({ domains }: Pick<Outcomes, 'domains'>) =>
  domains.length === 0 ? (
    <Empty title={T.noDomains} />
  ) : (
    <Table
      caption={T.domains}
      head={[T.domain, T.failed, T.sentTo]}
      rows={domains.map(({ domain, failed, sent }) => [
        <Said key="domain" text={domain} />,
        number(failed),
        number(sent),
      ])}
    />
  );

/** What became of the messages of the last days. */
export function OutcomesPanels() {
  const [days, setDays] = useState<(typeof DAYS)[number]>('7');
  const outcomes = useLoaded(`outcomes ${days}`, (signal) =>
    look('messages/outcomes', { days }, signal),
  );
  return (
    <>
      <ChartsPanel
        title={T.overTime}
        names={['email sent', 'email not-sent', 'email refused', 'msisdn sent', 'msisdn not-sent']}
      />
      <Panel
        title={T.outcomes}
        actions={
          <Choice
            label={T.days}
            value={days}
            options={DAYS.map((one) => [one, T.lastDays(Number(one))] as const)}
            set={setDays}
          />
        }
      >
        <Await of={outcomes}>
          {({ events, complete, since }) => (
            <>
              {!complete && (
                <Notice tone="calm">
                  <p>
                    {T.incomplete} <When at={since} />
                  </p>
                </Notice>
              )}
              {events.length === 0 ? (
                <Empty title={T.nothing}>{T.nothingAbout}</Empty>
              ) : (
                <Events events={events} />
              )}
            </>
          )}
        </Await>
      </Panel>
      {outcomes.value !== undefined && (
        <>
          <Panel title={T.replies}>
            <p class="hint">{T.repliesAbout}</p>
            <Replies replies={outcomes.value.replies} />
          </Panel>
          <Panel title={T.domains}>
            <Domains domains={outcomes.value.domains} />
          </Panel>
        </>
      )}
    </>
  );
}
