import { useState } from 'preact/hooks';
import { type Changes, change, type Lists, list } from '../api.ts';
import { Button } from '../parts/button.tsx';
import { Field } from '../parts/field.tsx';
import { Await, type Doing, useDoing, useLoaded } from '../parts/loading.tsx';
import { Badge, Empty, Failed, Notice } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Question } from '../parts/question.tsx';
import { Row, Rows } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { tell } from '../parts/told.tsx';
import { When } from '../parts/when.tsx';
import { mayChange, session } from '../session.ts';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';

const T = TEXTS.peers;
type Peer = Lists['peers/status'];
type Asked = { readonly name: string; readonly what: 'disable' | 'remove' };

const doneTo = ({ name, done }: Changes['peers/add']) => tell(T.done(visible(name), done));

function Facts({ peer }: { readonly peer: Peer }) {
  const received = Object.entries(peer.received).flatMap(([rule, tally]) =>
    tally === undefined ? [] : [[rule, tally] as const],
  );
  return (
    <>
      <p class="row-meta">
        <Badge tone={peer.active ? 'ok' : 'calm'}>{peer.active ? T.active : T.inactive}</Badge>{' '}
        <Said text={peer.url} />
      </p>
      <p class="row-meta">
        {T.backlog(peer.backlog)} · {T.success}{' '}
        {peer.last_success === undefined ? T.never : <When at={peer.last_success} />}
        {peer.refuses.length > 0 && ` · ${T.refuses(peer.refuses.length)}`}
      </p>
      {peer.last_error !== undefined && (
        <p class="row-meta">
          {T.error} <When at={peer.last_error.at} />: <Said text={peer.last_error.reason} />
        </p>
      )}
      {received.map(([rule, { count, last }]) => (
        <p class="row-meta" key={rule}>
          {T.from}: {count.toLocaleString('en')} {T.received[rule] ?? rule}, <When at={last} />
        </p>
      ))}
      <p class="row-meta">
        {T.keys}: {peer.keys.length === 0 && T.noKey}
        {peer.keys.map((key) => (
          <code class="mono" key={key}>
            <Said text={key} />
          </code>
        ))}
      </p>
      {peer.warnings.map((warning) => (
        <Notice tone="warning" key={warning}>
          <Said text={warning} />
        </Notice>
      ))}
    </>
  );
}

function PeerActions(props: {
  peer: Peer;
  doing: Doing;
  ask: (what: Asked) => void;
  changed: () => void;
}) {
  const { peer, doing, ask, changed } = props;
  const { name } = peer;
  const enable = () =>
    doing.start(async () => {
      doneTo(await change('peers/enable', { name }));
      changed();
    });
  const of = visible(name);
  return (
    <>
      {peer.active ? (
        <Button onClick={() => ask({ name, what: 'disable' })} of={of}>
          {T.disable}
        </Button>
      ) : (
        <Button onClick={enable} isBusy={doing.isBusy} of={of}>
          {T.enable}
        </Button>
      )}
      <Button onClick={() => ask({ name, what: 'remove' })} of={of}>
        {T.remove}
      </Button>
    </>
  );
}

type Settings = Lists['config/show'];

const settingIn = (settings: readonly Settings[], name: string) =>
  settings.find(({ section, key }) => section === 'http' && key === name)?.value ?? '';

/** What the operators of the other side run, so that it takes part with this server. */
function OtherSide() {
  const about = session.get()?.about;
  const settings = useLoaded('config', (signal) => list('config/show', {}, signal));
  const [name, setName] = useState('');
  const isOf = (text: string) => (text.trim() === '' ? T.thisHost : visible(text.trim()));
  const keys = [...new Set(about?.keys.map(({ public_key: key }) => key))].reverse();
  return (
    <Await of={settings}>
      {({ items }) => {
        const hasCertificate = settingIn(items, 'replication.https.certfile') !== '';
        const port = settingIn(items, 'replication.https.port');
        const parts = [
          `cognomen peers add ${visible(about?.server_name ?? '')}`,
          ...keys.map((key) => `--key ${key}`),
          `--url https://${isOf(name)}:${port}`,
        ];
        return (
          <>
            {!hasCertificate && (
              <Notice tone="warning">
                <p>{T.noCertificate}</p>
              </Notice>
            )}
            <p>{T.otherAbout}</p>
            <div class="form">
              <Field label={T.reached} hint={T.reachedHint(port)} value={name} set={setName} />
            </div>
            <pre>{parts.join(' \\\n  ')}</pre>
            <p class="hint">{T.otherKeys}</p>
          </>
        );
      }}
    </Await>
  );
}

/** Both halves of taking a server in, in their order. */
function AddPeer({ changed }: { readonly changed: () => void }) {
  const [name, setName] = useState('');
  const [key, setKey] = useState('');
  const [url, setUrl] = useState('');
  const doing = useDoing();
  const submit = (event: Event) => {
    event.preventDefault();
    doing.start(async () => {
      const where = url.trim();
      const asked = { name: name.trim(), key: key.trim(), url: where === '' ? undefined : where };
      doneTo(await change('peers/add', asked));
      for (const set of [setName, setKey, setUrl]) set('');
      changed();
    });
  };
  return (
    <Panel title={T.add}>
      <ol class="steps">
        <li>
          <h3>{T.here}</h3>
          <p>{T.hereAbout}</p>
          <pre>cognomen key list</pre>
          <form class="form" onSubmit={submit}>
            <Field label={T.name} value={name} set={setName} isRequired />
            <Field label={T.key} value={key} set={setKey} isRequired />
            <Field label={T.url} value={url} set={setUrl} />
            {doing.fault !== undefined && <Failed fault={doing.fault} />}
            <Button type="submit" kind="main" isBusy={doing.isBusy}>
              {T.addButton}
            </Button>
          </form>
        </li>
        <li>
          <h3>{T.other}</h3>
          <OtherSide />
        </li>
        <li>
          <h3>{T.check}</h3>
          <p>{T.checkAbout}</p>
          <Button onClick={changed}>{TEXTS.refresh}</Button>
        </li>
      </ol>
    </Panel>
  );
}

export function PeersScreen() {
  const [asked, setAsked] = useState<Asked>();
  const doing = useDoing();
  const peers = useLoaded('peers', (signal) => list('peers/status', {}, signal));
  return (
    <Screen title={T.title} lead={T.lead}>
      {doing.fault !== undefined && <Failed fault={doing.fault} />}
      <Panel title={TEXTS.all}>
        <Await of={peers}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title={T.empty}>{T.emptyAbout}</Empty>
            ) : (
              <Rows>
                {items.map((peer) => (
                  <Row
                    key={peer.name}
                    title={<Said text={peer.name} />}
                    actions={
                      mayChange() ? (
                        <PeerActions
                          peer={peer}
                          doing={doing}
                          ask={setAsked}
                          changed={peers.again}
                        />
                      ) : undefined
                    }
                  >
                    <Facts peer={peer} />
                  </Row>
                ))}
              </Rows>
            )
          }
        </Await>
      </Panel>
      {mayChange() && <AddPeer changed={peers.again} />}
      {asked !== undefined && (
        <Question
          title={(asked.what === 'remove' ? T.removeTitle : T.disableTitle)(visible(asked.name))}
          yes={asked.what === 'remove' ? T.remove : T.disable}
          no={T.keep}
          close={() => setAsked(undefined)}
          act={async () => {
            const path = asked.what === 'remove' ? 'peers/remove' : 'peers/disable';
            doneTo(await change(path, { name: asked.name }));
            peers.again();
          }}
        >
          <p>{asked.what === 'remove' ? T.removeGone : T.disableGone}</p>
        </Question>
      )}
    </Screen>
  );
}
