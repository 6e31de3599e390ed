import { useState } from 'preact/hooks';
import type { MessageEventName } from '../../../src/identity/messages/message-events.ts';
import { Fault, type ListPage, type Lists, type Looks, list, look } from '../api.ts';
import { Asking } from '../parts/asking.tsx';
import { Button } from '../parts/button.tsx';
import { Await, type Loaded, useDoing, useLoaded } from '../parts/loading.tsx';
import { Badge, Busy, Empty, Failed, type Tone } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Pager, Row, Rows, usePaged } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { tell } from '../parts/told.tsx';
import { When } from '../parts/when.tsx';
import { go } from '../router.ts';
import { mayChange, session } from '../session.ts';
import { checkSignature } from '../signature.ts';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';
import { EraseQuestion, UnbindQuestion } from './find-questions.tsx';
import { InviteRows } from './invitations.tsx';

const T = TEXTS.find;
type Binding = Lists['lookup'];

const isMxid = (text: string) => text.startsWith('@');

/** What is asked for by the server as not found is an empty list here. */
const orNothing = <T,>(asked: Promise<ListPage<T>>): Promise<ListPage<T>> =>
  asked.catch((error: unknown) => {
    if (error instanceof Fault && error.isNotFound) return { items: [] };
    throw error;
  });

const VERDICTS: Readonly<Record<string, readonly [Tone, string]>> = {
  good: ['ok', T.signature.good],
  wrong: ['problem', T.signature.wrong],
  different: ['problem', T.signature.different],
  'of-peer': ['calm', T.signature.ofPeer],
};

function Signature({ of }: { readonly of: Binding }) {
  const about = session.get()?.about;
  const verdict = useLoaded(about && `${of.id} ${of.signed}`, async () =>
    about === undefined ? 'unable' : checkSignature(of, about),
  );
  if (verdict.value === undefined) return <span>{T.signature.checking} …</span>;
  const known = VERDICTS[verdict.value];
  if (known !== undefined) return <Badge tone={known[0]}>{known[1]}</Badge>;
  return (
    <Badge tone="calm">
      {T.signature.unable} <Said text={of.signature} />
    </Badge>
  );
}

const shownAddress = ({ medium, address }: Pick<Binding, 'medium' | 'address'>) =>
  medium === 'msisdn' ? `+${address}` : address;

interface BindingsProps {
  readonly items: readonly Binding[];
  /** Whether they are a user's: then the address is what one does not know yet. */
  readonly isOfUser: boolean;
  readonly changed: () => void;
}

function Bindings({ items, isOfUser, changed }: BindingsProps) {
  const [unbinding, setUnbinding] = useState<Binding>();
  const here = session.get()?.about.server_name;
  return (
    <>
      <Rows>
        {items.map((binding) => {
          const isOwn = binding.origin === here;
          const other = isOfUser ? shownAddress(binding) : binding.mxid;
          return (
            <Row
              key={binding.id}
              title={
                <button type="button" class="link" onClick={() => go('find', other)}>
                  <Said text={other} />
                </button>
              }
              actions={
                mayChange() && isOwn ? (
                  <Button onClick={() => setUnbinding(binding)} of={visible(other)}>
                    {T.unbind}
                  </Button>
                ) : undefined
              }
            >
              <p class="row-meta">
                <Badge tone={binding.in_force ? 'ok' : 'warning'}>
                  {binding.in_force ? T.inForce : T.notInForce}
                </Badge>{' '}
                {T.since} <When at={binding.since} /> · {T.by}{' '}
                {isOwn ? T.here : <Said text={binding.origin} />}
              </p>
              <p class="row-meta">
                <Signature of={binding} />
              </p>
            </Row>
          );
        })}
      </Rows>
      {unbinding !== undefined && (
        <UnbindQuestion
          address={shownAddress(unbinding)}
          mxid={unbinding.mxid}
          done={changed}
          close={() => setUnbinding(undefined)}
        />
      )}
    </>
  );
}

const TONES: Readonly<Record<MessageEventName, Tone>> = {
  asked: 'calm',
  repeated: 'calm',
  refused: 'problem',
  withheld: 'warning',
  sent: 'ok',
  'not-sent': 'problem',
  unknown: 'warning',
  bounced: 'problem',
  delayed: 'warning',
  delivered: 'ok',
  opened: 'calm',
  'wrong-code': 'warning',
  'late-code': 'warning',
  proven: 'ok',
  bound: 'ok',
  told: 'ok',
  'not-told': 'problem',
};

/** What became of the messages to an address, in the order of time. */
function Timeline({ trail }: { readonly trail: Looks['trace'] }) {
  return (
    <ol class="timeline">
      {trail.events.map(({ event, first, last, times, words }) => (
        <li key={`${first} ${event} ${words}`} class={TONES[event as MessageEventName] ?? 'calm'}>
          <p class="row-meta">
            <When at={first} />
            {times > 1 && (
              <>
                {' · '}
                {T.times(times)} <When at={last} />
              </>
            )}
          </p>
          <p>
            <Said text={words} />
          </p>
        </li>
      ))}
    </ol>
  );
}

/** Hands a text to the browser as a file. */
function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'application/json' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  URL.revokeObjectURL(url);
}

function Actions({ whom, changed }: { readonly whom: string; readonly changed: () => void }) {
  const [isErasing, setErasing] = useState(false);
  const exporting = useDoing();
  const exportAll = () =>
    exporting.start(async () => {
      try {
        const all = await look('export', { address_or_mxid: whom });
        save('export.json', `${JSON.stringify(all, null, 2)}\n`);
        tell(T.exported);
      } catch (error) {
        if (!(error instanceof Fault && error.isNotFound)) throw error;
        tell(T.nothingKept);
      }
    });
  return (
    <Panel title={T.actions}>
      <ul class="choices">
        <li>
          <Button onClick={exportAll} isBusy={exporting.isBusy}>
            {T.export}
          </Button>
          <p class="hint">{T.exportAbout}</p>
        </li>
        <li>
          <Button kind="grave" onClick={() => setErasing(true)}>
            {T.erase} …
          </Button>
          <p class="hint">{T.eraseAbout}</p>
        </li>
      </ul>
      {exporting.fault !== undefined && <Failed fault={exporting.fault} />}
      {isErasing && <EraseQuestion whom={whom} done={changed} close={() => setErasing(false)} />}
    </Panel>
  );
}

function Trace({ trail }: { readonly trail: Loaded<Looks['trace'] | undefined> }) {
  return (
    <Panel title={T.timeline}>
      {trail.fault !== undefined && <Failed fault={trail.fault} again={trail.again} />}
      {trail.isLoading && trail.value === undefined && <Busy />}
      {!trail.isLoading && trail.fault === undefined && trail.value === undefined && (
        <Empty title={T.nothingSent}>{T.nothingSentAbout}</Empty>
      )}
      {trail.value !== undefined && <Timeline trail={trail.value} />}
    </Panel>
  );
}

/** What is known of somebody. */
function Card({ whom }: { readonly whom: string }) {
  const isOfUser = isMxid(whom);
  const bindings = usePaged('lookup', { address_or_mxid: whom });
  const isNothing = bindings.fault?.isNotFound === true;
  const isRefused = bindings.fault !== undefined && !isNothing;
  const invitations: Loaded<ListPage<Lists['invites/list']>> = useLoaded(
    isRefused ? undefined : `invites ${whom}`,
    (signal) => orNothing(list('invites/list', { address_or_mxid: whom, limit: 50 }, signal)),
  );
  const trail = useLoaded(isOfUser || isRefused ? undefined : `trace ${whom}`, (signal) =>
    look('trace', { address: whom }, signal).catch((error: unknown) => {
      if (error instanceof Fault && error.isNotFound) return undefined;
      throw error;
    }),
  );
  if (bindings.fault !== undefined && !isNothing) {
    return <Failed fault={bindings.fault} again={bindings.again} />;
  }
  const changed = () => {
    bindings.again();
    trail.again();
    invitations.again();
  };
  return (
    <>
      <Panel title={isOfUser ? T.addresses : T.bindings}>
        {isNothing ? (
          <Empty title={T.nothingBound}>
            {isOfUser ? T.nothingBoundOf(visible(whom)) : T.nothingBoundAt(visible(whom))}
          </Empty>
        ) : (
          <Await of={bindings}>
            {({ items }) => <Bindings items={items} isOfUser={isOfUser} changed={changed} />}
          </Await>
        )}
        <Pager of={bindings} />
      </Panel>
      {!isOfUser && <Trace trail={trail} />}
      <Panel title={isOfUser ? T.invitationsBy : T.invitations}>
        <Await of={invitations}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title={T.noInvitations} />
            ) : (
              <InviteRows items={items} changed={changed} />
            )
          }
        </Await>
      </Panel>
      {mayChange() && <Actions whom={whom} changed={changed} />}
    </>
  );
}

export function FindScreen({ about }: { readonly about: string }) {
  return (
    <Screen title={about === '' ? T.title : T.of(visible(about))} lead={T.lead}>
      <Asking
        label={T.label}
        hint={T.hint}
        button={T.button}
        before={about}
        isRequired
        asked={(text) => go('find', text)}
      />
      {about !== '' && <Card whom={about} />}
    </Screen>
  );
}
