import { useState } from 'preact/hooks';
import { type Changes, change, Fault } from '../api.ts';
import { Field } from '../parts/field.tsx';
import { useLoaded } from '../parts/loading.tsx';
import { Busy, Empty, Failed } from '../parts/notice.tsx';
import { Question } from '../parts/question.tsx';
import { Said } from '../parts/said.tsx';
import { tell } from '../parts/told.tsx';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';

interface UnbindProps {
  readonly address: string;
  readonly mxid: string;
  readonly done: () => void;
  readonly close: () => void;
}

/** Asks why, then takes a binding back. */
export function UnbindQuestion({ address, mxid, done, close }: UnbindProps) {
  const T = TEXTS.unbind;
  const [reason, setReason] = useState('');
  return (
    <Question
      title={T.title(visible(address))}
      yes={T.button}
      no={T.keep}
      close={close}
      act={async () => {
        const why = reason.trim();
        try {
          await change('unbind', { address, mxid, reason: why === '' ? undefined : why });
          tell(T.done);
        } catch (error) {
          if (!(error instanceof Fault && error.isNotFound)) throw error;
          tell(T.gonealready);
        }
        done();
      }}
    >
      <p>{T.gone(visible(mxid))}</p>
      <Field label={T.reason} hint={T.reasonHint} value={reason} set={setReason} most={200} />
    </Question>
  );
}

/** What stays, under names that tell nobody who it was: among what remains. */
const STAYING = ['operators_trail', 'refused_invitations'];

const Counts = ({ of }: { readonly of: Changes['erase'] }) => (
  <>
    <p>{TEXTS.erase.who}</p>
    <ul class="plain-list">
      {[...(of.user === undefined ? [] : [of.user]), ...of.addresses].map((one) => (
        <li key={one}>
          <Said text={one} />
        </li>
      ))}
    </ul>
    <p>{TEXTS.erase.gone}</p>
    <ul class="plain-list">
      {Object.entries(of.kept)
        .filter(([name, count]) => count > 0 && !STAYING.includes(name))
        .map(([name, count]) => (
          <li key={name}>{TEXTS.erase.count(name, count)}</li>
        ))}
    </ul>
    <details>
      <summary>{TEXTS.erase.remains}</summary>
      <ul class="plain-list">
        {of.remains.map((one) => (
          <li key={one}>
            <Said text={one} />
          </li>
        ))}
      </ul>
    </details>
    <p>
      <b>{TEXTS.erase.never}</b>
    </p>
  </>
);

/** What is to be known of what was erased. */
function outcome({ waiting_for: waiting, traces }: Changes['erase']): string {
  const T = TEXTS.erase;
  const notes = [
    T.done,
    waiting.length > 0 ? `${T.waiting} ${waiting.map(visible).join(', ')}` : '',
    traces !== undefined && traces > 0 ? T.traces(traces) : '',
  ];
  return notes.filter((note) => note !== '').join(' ');
}

interface EraseProps {
  readonly whom: string;
  readonly done: () => void;
  readonly close: () => void;
}

/** Looks what there is, shows it, asks, and erases it. */
export function EraseQuestion({ whom, done, close }: EraseProps) {
  const T = TEXTS.erase;
  const found = useLoaded(`erase ${whom}`, () => change('erase', { address_or_mxid: whom }));
  if (found.isLoading) return <Busy text={T.looking} />;
  if (found.fault?.isNotFound) return <Empty title={TEXTS.find.nothingKept} />;
  if (found.fault !== undefined) return <Failed fault={found.fault} again={found.again} />;
  if (found.value === undefined) return null;
  return (
    <Question
      title={T.title(visible(whom))}
      yes={T.button}
      no={T.keep}
      close={close}
      act={async () => {
        tell(outcome(await change('erase', { address_or_mxid: whom, yes: true })));
        done();
      }}
    >
      <Counts of={found.value} />
    </Question>
  );
}
