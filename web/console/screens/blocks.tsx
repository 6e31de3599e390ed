import { useState } from 'preact/hooks';
import { change, Fault, type Lists } from '../api.ts';
import { Button } from '../parts/button.tsx';
import { Few } from '../parts/few.tsx';
import { Field } from '../parts/field.tsx';
import { Await, type Loaded, useDoing } from '../parts/loading.tsx';
import { Badge, Empty, Failed } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Question } from '../parts/question.tsx';
import { Row, Rows } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { tell } from '../parts/told.tsx';
import { When } from '../parts/when.tsx';
import { mayChange } from '../session.ts';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';

const T = TEXTS.blocks;
const HOURS = (['1', '24', '168'] as const).map((hours) => [hours, T.hours[hours]] as const);

/**
 * Of what a limit counted, the part that can be kept out: an account, or a network by its name. Whom somebody only
 * claimed to be is not: anybody could have others kept out.
 */
export const blockable = (key: string): string | undefined =>
  key.startsWith('claimed ')
    ? undefined
    : key.split(' ').find((part) => /^@[^:]+:.+|^[\w-]{12}$/.test(part));

/** Asks whom to keep out, and for how long. */
export function BlockQuestion(props: { whom: string; close: () => void; done: () => void }) {
  const [whom, setWhom] = useState(props.whom);
  const [hours, setHours] = useState<'1' | '24' | '168'>('24');
  return (
    <Question
      title={T.title}
      yes={T.yes}
      no={T.no}
      close={props.close}
      act={async () => {
        const block = await change('limits/block', { whom: whom.trim(), hours });
        tell(T.done(visible(block.what)));
        props.done();
      }}
    >
      <Field label={T.whom} hint={T.whomHint} value={whom} set={setWhom} isRequired />
      <Few label={T.howLong} options={HOURS} value={hours} set={setHours} />
      <p>{T.means}</p>
      <p class="hint">{T.stays}</p>
    </Question>
  );
}

function BlockRow({ block, lifted }: { block: Lists['limits/blocks']; lifted: () => void }) {
  const doing = useDoing();
  const { id, kind, what, since, until } = block;
  const lift = () =>
    doing.start(async () => {
      try {
        await change('limits/unblock', { id });
        tell(T.lifted(visible(what)));
      } catch (error) {
        if (!(error instanceof Fault && error.isNotFound)) throw error;
        tell(T.goneAlready);
      }
      lifted();
    });
  return (
    <Row
      title={<Said text={what} />}
      actions={
        mayChange() ? (
          <Button onClick={lift} isBusy={doing.isBusy} of={visible(what)}>
            {T.lift}
          </Button>
        ) : undefined
      }
    >
      <p class="row-meta">
        <Badge tone="warning">{T.kinds[kind]}</Badge> {T.until} <When at={until} />, {T.since}{' '}
        <When at={since} />
      </p>
      {doing.fault !== undefined && <Failed fault={doing.fault} />}
    </Row>
  );
}

/** Who is kept out for now. */
export function BlockedPanel(props: {
  of: Loaded<{ readonly items: readonly Lists['limits/blocks'][] }>;
  ask: () => void;
}) {
  return (
    <Panel
      title={T.now}
      actions={mayChange() ? <Button onClick={props.ask}>{T.add}</Button> : undefined}
    >
      <Await of={props.of}>
        {({ items }) =>
          items.length === 0 ? (
            <Empty title={T.empty}>{T.emptyAbout}</Empty>
          ) : (
            <Rows>
              {items.map((block) => (
                <BlockRow key={block.id} block={block} lifted={props.of.again} />
              ))}
            </Rows>
          )
        }
      </Await>
    </Panel>
  );
}
