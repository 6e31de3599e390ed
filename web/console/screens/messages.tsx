import { useState } from 'preact/hooks';
import { type Changes, change } from '../api.ts';
import { Asking } from '../parts/asking.tsx';
import { useDoing } from '../parts/loading.tsx';
import { Busy, Failed, Notice } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { mayChange } from '../session.ts';
import { TEXTS } from '../texts.ts';
import { OutcomesPanels } from './outcomes.tsx';
import { PreviewPanel } from './preview.tsx';

const T = TEXTS.messages;
type Tested = Changes['mail/test'];

const Outcome = ({ of }: { readonly of: Tested }) => (
  <div role="status">
    <Notice tone={of.sent ? 'ok' : 'problem'}>
      <p class="verdict">{of.sent ? T.sent : T.notSent(of.outcome)}</p>
      {of.advice !== undefined && (
        <p>
          <Said text={of.advice} />
        </p>
      )}
      <dl class="details">
        {Object.entries(of.details).map(([name, value]) => (
          <div key={name}>
            <dt>{name.replaceAll('_', ' ')}</dt>
            <dd>
              <Said text={String(value)} />
            </dd>
          </div>
        ))}
      </dl>
    </Notice>
    {of.dialogue.length > 0 && (
      <>
        <h3>{T.dialogue}</h3>
        <ol class="dialogue">
          {of.dialogue.map(({ from, line }, index) => (
            <li key={index} class={from}>
              <span class="dialogue-from">{T.from[from]}</span>
              <code>
                <Said text={line} />
              </code>
            </li>
          ))}
        </ol>
      </>
    )}
  </div>
);

interface TestProps {
  readonly title: string;
  readonly label: string;
  readonly send: (to: string) => Promise<Tested>;
}

function Test({ title, label, send }: TestProps) {
  const [outcome, setOutcome] = useState<Tested>();
  const doing = useDoing();
  const asked = (to: string) =>
    doing.start(async () => {
      setOutcome(undefined);
      setOutcome(await send(to));
    });
  return (
    <Panel title={title}>
      <p class="hint">{T.testAbout}</p>
      <Asking label={label} button={T.send} isRequired isBusy={doing.isBusy} asked={asked} />
      {doing.isBusy && <Busy text={T.sending} />}
      {doing.fault !== undefined && <Failed fault={doing.fault} />}
      {outcome !== undefined && <Outcome of={outcome} />}
    </Panel>
  );
}

export function MessagesScreen() {
  return (
    <Screen title={T.title} lead={T.lead}>
      <OutcomesPanels />
      <PreviewPanel />
      {mayChange() ? (
        <>
          <Test
            title={T.testOf(TEXTS.media['email'] ?? '')}
            label={T.mail}
            send={(address) => change('mail/test', { address })}
          />
          <Test
            title={T.testOf(TEXTS.media['msisdn'] ?? '')}
            label={T.sms}
            send={(number) => change('sms/test', { number })}
          />
        </>
      ) : (
        <Panel title={T.test}>
          <Notice tone="calm">{T.forOperators}</Notice>
        </Panel>
      )}
    </Screen>
  );
}
