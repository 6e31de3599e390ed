import { useState } from 'preact/hooks';
import { change, Fault, type Lists } from '../api.ts';
import { Asking } from '../parts/asking.tsx';
import { Button } from '../parts/button.tsx';
import { Await, useDoing } from '../parts/loading.tsx';
import { Badge, Empty, Failed } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Question } from '../parts/question.tsx';
import { Pager, Row, Rows, usePaged } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { tell } from '../parts/told.tsx';
import { When } from '../parts/when.tsx';
import { go } from '../router.ts';
import { mayChange } from '../session.ts';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';

const T = TEXTS.homeservers;
type Owed = Lists['outbox/list'];

/** Does it; where it is not there any more, says so. */
async function orGone(work: () => Promise<unknown>, done: string): Promise<void> {
  try {
    await work();
    tell(done);
  } catch (error) {
    if (!(error instanceof Fault && error.isNotFound)) throw error;
    tell(T.gonealready);
  }
}

function OwedRow({ owed, drop, changed }: { owed: Owed; drop: () => void; changed: () => void }) {
  const retrying = useDoing();
  const { homeserver, address } = owed;
  const retry = () =>
    retrying.start(async () => {
      const told = T.retried(visible(homeserver));
      await orGone(() => change('outbox/retry', { homeserver }), told);
      changed();
    });
  return (
    <Row
      title={<Said text={homeserver} />}
      actions={
        mayChange() ? (
          <>
            <Button onClick={retry} isBusy={retrying.isBusy} of={visible(homeserver)}>
              {T.retry}
            </Button>
            <Button onClick={drop} of={T.dropOf(visible(address))}>
              {T.drop}
            </Button>
          </>
        ) : undefined
      }
    >
      <p>
        <Said text={address} /> {T.bound} <When at={owed.created_at} />
      </p>
      <p class="row-meta">
        <Badge tone={owed.attempts > 1 ? 'warning' : 'calm'}>{T.attempts(owed.attempts)}</Badge>{' '}
        {T.next} <When at={owed.next_attempt_at} />
        {owed.refused_at !== undefined && (
          <>
            {' · '}
            {T.refused} <When at={owed.refused_at} />
          </>
        )}
      </p>
      {owed.last_failure !== undefined && (
        <p class="row-meta">
          {T.why} <When at={owed.last_failure.at} />: <Said text={owed.last_failure.reason} />
        </p>
      )}
      {retrying.fault !== undefined && <Failed fault={retrying.fault} />}
    </Row>
  );
}

export function HomeserversScreen({ about }: { readonly about: string }) {
  const [dropped, setDropped] = useState<Owed>();
  const paged = usePaged('outbox/list', { homeserver: about === '' ? undefined : about });
  return (
    <Screen title={T.title} lead={T.lead}>
      <Asking
        label={T.filter}
        button={TEXTS.show}
        kind="plain"
        before={about}
        asked={(text) => go('homeservers', text)}
      />
      <Panel title={about === '' ? TEXTS.all : visible(about)}>
        <Await of={paged}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title={T.empty}>{T.emptyAbout}</Empty>
            ) : (
              <Rows>
                {items.map((owed) => (
                  <OwedRow
                    key={owed.id}
                    owed={owed}
                    drop={() => setDropped(owed)}
                    changed={paged.again}
                  />
                ))}
              </Rows>
            )
          }
        </Await>
        <Pager of={paged} />
      </Panel>
      {dropped !== undefined && (
        <Question
          title={T.dropTitle}
          yes={T.drop}
          no={T.keep}
          close={() => setDropped(undefined)}
          act={async () => {
            await orGone(() => change('outbox/drop', { id: dropped.id }), T.dropped);
            paged.again();
          }}
        >
          <p>{T.dropGone(visible(dropped.homeserver), visible(dropped.address))}</p>
        </Question>
      )}
    </Screen>
  );
}
