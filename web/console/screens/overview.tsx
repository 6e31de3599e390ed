import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { type Looks, look } from '../api.ts';
import { type History, onDay } from '../history.ts';
import { Button } from '../parts/button.tsx';
import { Await, useLoaded } from '../parts/loading.tsx';
import { Empty, Notice, Sign } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { When } from '../parts/when.tsx';
import { TEXTS } from '../texts.ts';
import { ChartsPanel } from './charts.tsx';

type State = Looks['doctor']['state'];
const T = TEXTS.overview;

const Figure = (props: { number: number; of: string; children?: ComponentChildren }) => (
  <li class="figure">
    <span class="figure-number">{props.number.toLocaleString('en')}</span>
    <span class="figure-of">{props.of}</span>
    {props.children !== undefined && <span class="figure-more">{props.children}</span>}
  </li>
);

function Numbers({ stats, history }: { stats: Looks['stats']; history: History | undefined }) {
  const { associations, invitations, owed, sessions, accounts, tokens } = stats;
  return (
    <ul class="figures">
      {associations.length === 0 && <Figure number={0} of={T.noBindings} />}
      {associations.map(({ medium, own, of_peers: ofPeers }) => (
        <Figure key={medium} number={own} of={T.bindings(TEXTS.media[medium] ?? medium)}>
          {ofPeers > 0 ? T.ofPeers(ofPeers) : undefined}
        </Figure>
      ))}
      {history !== undefined && (
        <Figure number={provenOn(history, 0)} of={T.provenToday}>
          {T.provenYesterday(provenOn(history, 1))}
        </Figure>
      )}
      <Figure number={invitations.pending} of={T.pending}>
        {invitations.oldest !== undefined && (
          <>
            {T.oldest} <When at={invitations.oldest} />
          </>
        )}
      </Figure>
      <Figure number={owed.notices} of={T.owed}>
        {owed.notices > 0 && (
          <>
            {T.owedTo(owed.homeservers)}
            {owed.refused > 0 && `, ${T.refused(owed.refused)}`}
            {owed.oldest !== undefined && (
              <>
                , {T.oldest} <When at={owed.oldest} />
              </>
            )}
          </>
        )}
      </Figure>
      <Figure number={sessions.all} of={T.sessions}>
        {T.validated(sessions.validated)}
      </Figure>
      <Figure number={accounts} of={T.accounts}>
        {T.tokens(tokens)}
      </Figure>
    </ul>
  );
}

const provenOn = (history: History, daysAgo: number) =>
  onDay(history, 'email proven', daysAgo) + onDay(history, 'msisdn proven', daysAgo);

/** What old clients still need, and could be switched off without them. */
function stillOpen(history: History | undefined) {
  const ways = Object.keys(T.stillOpen) as (keyof typeof T.stillOpen)[];
  return ways.flatMap((way) => {
    const count = history === undefined ? 0 : onDay(history, way, 1);
    return count === 0
      ? []
      : [{ way, finding: T.stillOpen[way](count), remedy: T.stillOpenAbout[way] }];
  });
}

type Finding = Looks['doctor']['findings'][number];

/** What was found out about each thing, the worst of it first. */
function Lights({ findings }: { readonly findings: readonly Finding[] }) {
  const rank = ['ok', 'warning', 'problem'];
  const worst = new Map<string, State>();
  for (const { about, state } of findings) {
    const known = worst.get(about) ?? 'ok';
    worst.set(about, rank.indexOf(state) > rank.indexOf(known) ? state : known);
  }
  return (
    <ul class="lights">
      {[...worst].map(([about, state]) => (
        <li key={about} class={`light ${state}`}>
          <Sign tone={state} />
          <Said text={about} />
          <span class="hidden">: {T.words[state]}</span>
        </li>
      ))}
    </ul>
  );
}

export const FindingRow = ({ about, state, finding, remedy }: Finding) => (
  <li class="finding">
    <Sign tone={state} />
    <div>
      <p class="row-title">
        <Said text={about} /> <span class="hidden">{T.words[state]}</span>
      </p>
      <p>
        <Said text={finding} />
      </p>
      {remedy !== undefined && (
        <p class="remedy">
          <b>{T.todoHow}</b> <Said text={remedy} />
        </p>
      )}
    </div>
  </li>
);

export function OverviewScreen() {
  const health = useLoaded('doctor', (signal) => look('doctor', {}, signal));
  const numbers = useLoaded('stats', (signal) => look('stats', {}, signal));
  const history = useLoaded('history', (signal) => look('history', { days: 2 }, signal));
  const [round, setRound] = useState(0);
  const open = stillOpen(history.value);
  const refresh = () => {
    history.again();
    setRound(round + 1);
    health.again();
    numbers.again();
  };
  return (
    <Screen
      title={T.title}
      lead={T.lead}
      actions={
        <Button onClick={refresh} isBusy={health.isLoading || numbers.isLoading}>
          {TEXTS.refresh}
        </Button>
      }
    >
      <Await of={health} text={T.checking}>
        {({ state, findings }) => {
          const todo = findings.filter((one) => one.state !== 'ok');
          const [problems, warnings] = [
            todo.filter((one) => one.state === 'problem'),
            todo.filter((one) => one.state === 'warning'),
          ];
          return (
            <>
              <Notice tone={state}>
                <p class="verdict">{T.states[state]}</p>
                <p>{T.counts(problems.length, warnings.length, findings.length - todo.length)}</p>
                <details>
                  <summary>{T.looked}</summary>
                  <Lights findings={findings} />
                </details>
              </Notice>
              <Panel title={T.todo}>
                {todo.length + open.length === 0 && (
                  <Empty title={T.nothing}>{T.nothingMore}</Empty>
                )}
                <ul class="findings">
                  {[...problems, ...warnings].map((one) => (
                    <FindingRow key={`${one.about} ${one.finding}`} {...one} />
                  ))}
                  {open.map(({ way, finding, remedy }) => (
                    <li key={way} class="finding">
                      <Sign tone="calm" />
                      <div>
                        <p>{finding}</p>
                        <p class="remedy">
                          <b>{T.todoHow}</b> {remedy}
                        </p>
                      </div>
                    </li>
                  ))}
                </ul>
              </Panel>
            </>
          );
        }}
      </Await>
      <Panel title={T.numbers}>
        <Await of={numbers}>{(stats) => <Numbers stats={stats} history={history.value} />}</Await>
      </Panel>
      <ChartsPanel
        title={TEXTS.charts.title}
        round={round}
        names={[
          'email bindings',
          'msisdn bindings',
          'email proven',
          'msisdn proven',
          'invitations pending',
          'outbox age',
        ]}
      />
    </Screen>
  );
}
