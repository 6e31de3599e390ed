import { useEffect, useState } from 'preact/hooks';
import { change, type Lists, type Looks, list, look } from '../api.ts';
import { Button } from '../parts/button.tsx';
import { Await, type Loaded, useLoaded } from '../parts/loading.tsx';
import { Badge } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Question } from '../parts/question.tsx';
import { Row, Rows } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { tell } from '../parts/told.tsx';
import { When } from '../parts/when.tsx';
import { mayChange } from '../session.ts';
import { TEXTS } from '../texts.ts';

const T = TEXTS.keys;
/** Milliseconds behind an answer after which is asked how far a rotation is. */
const LOOKS = 1000;

function KeyRows({ keys }: { readonly keys: readonly Lists['key/list'][] }) {
  return (
    <Rows>
      {keys.map(({ id, public_key: key, use, invitations }) => (
        <Row key={`${id} ${key}`} title={<Said text={id} />}>
          <p class="mono">
            <Said text={key} />
          </p>
          <p class="row-meta">
            <Badge tone={use === 'signs' ? 'ok' : 'calm'}>{T.uses[use]}</Badge>{' '}
            {invitations !== undefined && T.needed(invitations, use === 'signs')}
          </p>
        </Row>
      ))}
    </Rows>
  );
}

function KeyPlan({ plan }: { readonly plan: Looks['key/plan'] }) {
  return (
    <>
      <p>{T.keyHow}</p>
      <pre>{plan.commands.join('\n')}</pre>
      <h3>{T.means}</h3>
      <ul class="plain-list">
        <li>{T.keyStays}</li>
        <li>{T.keyInvitations(plan.invitations)}</li>
        <li>
          {plan.peers.length === 0 ? T.keyNoPeers : T.keyPeers}
          {plan.peers.length > 0 && (
            <ul class="plain-list">
              {plan.peers.map((name) => (
                <li key={name}>
                  <Said text={name} />
                </li>
              ))}
            </ul>
          )}
        </li>
        <li>{T.keyNodes}</li>
      </ul>
    </>
  );
}

/** Asks, then begins a rotation of the pepper. */
function RotateQuestion({ close, begun }: { close: () => void; begun: () => void }) {
  return (
    <Question
      title={T.rotateTitle}
      yes={T.rotateYes}
      no={T.keep}
      close={close}
      act={async () => {
        const { joined } = await change('pepper/rotate');
        tell(joined ? T.joined : T.begun);
        begun();
      }}
    >
      <p>{T.rotateWhat}</p>
      <ul class="plain-list">
        {T.rotateMeans.map((text) => (
          <li key={text}>{text}</li>
        ))}
      </ul>
    </Question>
  );
}

function Pepper({ of }: { readonly of: Loaded<Looks['pepper/status']> }) {
  const isRotating = of.value?.rotation !== undefined;
  // Behind an answer, so that there is never more than one question under way.
  useEffect(() => {
    if (!isRotating || of.isLoading) return;
    const timer = setTimeout(of.again, LOOKS);
    return () => clearTimeout(timer);
  }, [isRotating, of.isLoading]);
  return (
    <Await of={of}>
      {(pepper) => (
        <>
          <p>
            <Badge tone={pepper.phase === 'rotating' ? 'warning' : 'ok'}>
              {T.phases[pepper.phase]}
            </Badge>
          </p>
          {pepper.rotation !== undefined && (
            <div class="progress">
              <label for="rotation">
                {T.progress(pepper.rotation.percent)} <When at={pepper.rotation.begun} />
              </label>
              <progress id="rotation" max={100} value={pepper.rotation.percent} />
            </div>
          )}
          <Rows>
            <Row title={T.inForce}>
              <p class="mono">
                <Said text={pepper.lookup_pepper} />
              </p>
              <p class="row-meta">
                {pepper.since === undefined ? (
                  T.neverRotated
                ) : (
                  <>
                    {T.since} <When at={pepper.since} />
                  </>
                )}
              </p>
            </Row>
            {pepper.alt_lookup_peppers.map((former) => (
              <Row key={former.lookup_pepper} title={T.former}>
                <p class="mono">
                  <Said text={former.lookup_pepper} />
                </p>
                <p class="row-meta">
                  {T.until} <When at={former.until} />
                </p>
              </Row>
            ))}
          </Rows>
        </>
      )}
    </Await>
  );
}

export function KeysScreen() {
  const [isAsked, setAsked] = useState(false);
  const keys = useLoaded('keys', (signal) => list('key/list', {}, signal));
  const plan = useLoaded('plan', (signal) => look('key/plan', {}, signal));
  const pepper = useLoaded('pepper', (signal) => look('pepper/status', {}, signal));
  const { rotation, possible_from: possibleFrom } = pepper.value ?? {};
  const canRotate = pepper.value !== undefined && rotation === undefined;
  return (
    <Screen title={T.title} lead={T.lead}>
      <Panel
        title={T.pepper}
        actions={
          mayChange() && canRotate && possibleFrom === undefined ? (
            <Button onClick={() => setAsked(true)}>{T.rotate}</Button>
          ) : undefined
        }
      >
        <Pepper of={pepper} />
        {possibleFrom !== undefined && (
          <p class="hint">
            {T.possible} <When at={possibleFrom} />.
          </p>
        )}
      </Panel>
      <Panel title={T.public}>
        <p>{T.publicAbout}</p>
        <Await of={keys} text={T.counting}>
          {({ items }) => <KeyRows keys={items} />}
        </Await>
      </Panel>
      <Panel title={T.rotateKey}>
        <Await of={plan} text={T.counting}>
          {(value) => <KeyPlan plan={value} />}
        </Await>
      </Panel>
      {isAsked && <RotateQuestion close={() => setAsked(false)} begun={pepper.again} />}
    </Screen>
  );
}
