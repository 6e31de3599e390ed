import { useState } from 'preact/hooks';
import { change, Fault, type Lists } from '../api.ts';
import { Asking } from '../parts/asking.tsx';
import { Button } from '../parts/button.tsx';
import { Few } from '../parts/few.tsx';
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
import {
  BlockLists,
  type Grouping,
  InviteGroups,
  NO_RULES,
  type Rules,
} from './invitation-views.tsx';

const T = TEXTS.invitations;
export type Invite = Lists['invites/list'];

const isPending = ({ delivered_at: delivered, notice }: Invite) =>
  delivered === undefined && notice === undefined;

function StateOf({ invite }: { readonly invite: Invite }) {
  if (invite.delivered_at !== undefined) {
    return (
      <Badge tone="ok">
        {T.delivered} <When at={invite.delivered_at} />
      </Badge>
    );
  }
  return isPending(invite) ? (
    <Badge tone="calm">{T.pending}</Badge>
  ) : (
    <Badge tone="warning">{T.delivering}</Badge>
  );
}

/** Asks, then cancels all invitations that wait for an address. */
function CancelQuestion(props: { address: string; done: () => void; close: () => void }) {
  const { address, done, close } = props;
  return (
    <Question
      title={T.cancelTitle(visible(address))}
      yes={T.cancelButton}
      no={T.keep}
      close={close}
      act={async () => {
        try {
          tell(T.done((await change('invites/cancel', { address })).cancelled));
        } catch (error) {
          if (!(error instanceof Fault && error.isNotFound)) throw error;
          tell(T.gonealready);
        }
        done();
      }}
    >
      <p>{T.cancelGone}</p>
    </Question>
  );
}

/** What can be done with one that waits. */
function InviteActions(props: { invite: Invite; cancel: () => void; changed: () => void }) {
  const { invite, cancel, changed } = props;
  const doing = useDoing();
  const address = visible(invite.address);
  const resend = () =>
    doing.start(async () => {
      const asked = { id_or_address: String(invite.id) };
      const [failed] = (await change('invites/resend', asked)).not_sent;
      tell(failed === undefined ? T.resent : T.notResent(visible(failed.message)));
      changed();
    });
  return (
    <>
      <Button onClick={resend} isBusy={doing.isBusy} of={T.resendOf(address)}>
        {T.resend}
      </Button>
      <Button onClick={cancel} of={T.cancelOf(address)}>
        {T.cancel}
      </Button>
      {doing.fault !== undefined && <Failed fault={doing.fault} />}
    </>
  );
}

/** Invitations, and what can be done with them. */
export function InviteRows(props: { items: readonly Invite[]; changed: () => void }) {
  const [asked, setAsked] = useState<string>();
  return (
    <>
      <Rows>
        {props.items.map((invite) => (
          <Row
            key={invite.id}
            title={
              <button
                type="button"
                class="link"
                onClick={() =>
                  go('find', invite.medium === 'msisdn' ? `+${invite.address}` : invite.address)
                }
              >
                <Said text={invite.address} />
              </button>
            }
            actions={
              mayChange() && isPending(invite) ? (
                <InviteActions
                  invite={invite}
                  cancel={() => setAsked(invite.address)}
                  changed={props.changed}
                />
              ) : undefined
            }
          >
            <p class="row-meta">
              <StateOf invite={invite} />{' '}
              {invite.received_at !== undefined && <When at={invite.received_at} />} {T.by}{' '}
              <Said text={invite.sender} /> {T.room} <Said text={invite.room_id} />
            </p>
          </Row>
        ))}
      </Rows>
      {asked !== undefined && (
        <CancelQuestion address={asked} done={props.changed} close={() => setAsked(undefined)} />
      )}
    </>
  );
}

function InviteList({ about }: { readonly about: string }) {
  const paged = usePaged('invites/list', { address_or_mxid: about === '' ? undefined : about });
  return (
    <>
      <Asking
        label={T.filter}
        button={TEXTS.show}
        kind="plain"
        before={about}
        asked={(text) => go('invitations', text)}
      />
      <Panel title={about === '' ? TEXTS.all : visible(about)}>
        <Await of={paged}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title={about === '' ? T.empty : T.noneFound}>{T.emptyAbout}</Empty>
            ) : (
              <InviteRows items={items} changed={paged.again} />
            )
          }
        </Await>
        <Pager of={paged} />
      </Panel>
    </>
  );
}

type View = 'list' | Grouping | 'blocks';
const VIEWS = (['list', 'age', 'inviter', 'homeserver', 'room', 'blocks'] as const).map(
  (view) => [view, T.views[view]] as const,
);

export function InvitationsScreen({ about }: { readonly about: string }) {
  const [view, setView] = useState<View>('list');
  const [rules, setRules] = useState<Rules>(NO_RULES);
  return (
    <Screen title={T.title} lead={T.lead}>
      <div class="views">
        <Few label={T.view} options={VIEWS} value={view} set={setView} />
      </div>
      {view === 'list' && <InviteList about={about} />}
      {view === 'blocks' && <BlockLists rules={rules} set={setRules} />}
      {view !== 'list' && view !== 'blocks' && (
        <InviteGroups
          by={view}
          tryRule={(more) => {
            setRules({ ...NO_RULES, ...more });
            setView('blocks');
          }}
        />
      )}
    </Screen>
  );
}
