import { useState } from 'preact/hooks';
import { type Looks, list, look } from '../api.ts';
import { Button } from '../parts/button.tsx';
import { Field } from '../parts/field.tsx';
import { Await, useDoing, useLoaded } from '../parts/loading.tsx';
import { Badge, Empty, Failed } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Row, Rows } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { When } from '../parts/when.tsx';
import { go } from '../router.ts';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';

const T = TEXTS.invitations;

export type Grouping = Looks['invites/by']['by'];
/** What is to be tried on the invitations of the last days: a rule a line. */
export type Rules = Readonly<Record<'homeservers' | 'rooms' | 'keywords', string>>;
export const NO_RULES: Rules = { homeservers: '', rooms: '', keywords: '' };

/** Groups of invitations that wait, the largest first. */
export function InviteGroups(props: { by: Grouping; tryRule: (rules: Partial<Rules>) => void }) {
  const { by, tryRule } = props;
  const groups = useLoaded(`by ${by}`, (signal) =>
    look('invites/by', { grouping: by, limit: 50 }, signal),
  );
  return (
    <Panel title={T.views[by]}>
      <Await of={groups} text={T.counting}>
        {({ groups: all, left_out: leftOut, exact, pending }) => (
          <>
            {pending === 0 && <Empty title={T.nonePending}>{T.emptyAbout}</Empty>}
            <Rows>
              {all.map(({ of, pending: count, oldest }) => (
                <Row
                  key={of}
                  title={by === 'age' ? T.ages[of] : <Said text={of === '' ? T.noName : of} />}
                  actions={
                    by === 'inviter' ? (
                      <Button onClick={() => go('invitations', of)} of={T.theirs(visible(of))}>
                        {TEXTS.show}
                      </Button>
                    ) : by !== 'age' && of !== '' ? (
                      <Button
                        onClick={() => tryRule(by === 'room' ? { rooms: of } : { homeservers: of })}
                        of={visible(of)}
                      >
                        {T.tryIt}
                      </Button>
                    ) : undefined
                  }
                >
                  <p class="row-meta">
                    {T.count(count)}
                    {oldest !== undefined && (
                      <>
                        , {T.oldest} <When at={oldest} />
                      </>
                    )}
                  </p>
                </Row>
              ))}
            </Rows>
            {leftOut > 0 && <p class="hint">{T.leftOut(leftOut)}</p>}
            {!exact && <p class="hint">{T.notExact}</p>}
          </>
        )}
      </Await>
    </Panel>
  );
}

const LISTS = {
  homeservers: 'email.third_party_invite_homeserver_blocklist',
  rooms: 'email.third_party_invite_room_blocklist',
  keywords: 'email.third_party_invite_keyword_blocklist',
} as const;
const KINDS = ['homeservers', 'rooms', 'keywords'] as const;

/** The block lists that the configuration has. */
function ListsInForce() {
  const settings = useLoaded('lists', (signal) => list('config/show', {}, signal));
  return (
    <Await of={settings}>
      {({ items }) => (
        <dl class="details">
          {KINDS.map((kind) => (
            <div key={kind}>
              <dt>{T.lists[kind]}</dt>
              <dd class="setting-value">
                <Said text={items.find(({ key }) => key === LISTS[kind])?.value || T.emptyList} />
              </dd>
            </div>
          ))}
        </dl>
      )}
    </Await>
  );
}

function Outcome({
  tried,
  withWords,
}: {
  tried: Looks['invites/would-block'];
  withWords: boolean;
}) {
  const { blocked, invitations, days, examples, texts } = tried;
  return (
    <div role="status">
      <p class="verdict">{T.wouldHave(blocked, invitations, days)}</p>
      {withWords && texts < invitations && <p class="hint">{T.textsOf(texts)}</p>}
      {examples.length > 0 && <h3>{T.examples}</h3>}
      <Rows>
        {examples.map((one) => (
          <Row
            key={`${one.sender} ${one.room_id} ${one.received_at}`}
            title={<Said text={one.sender} />}
          >
            <p class="row-meta">
              <Badge tone="calm">{T.rules[one.by]}</Badge> <When at={one.received_at} /> {T.room}{' '}
              <Said text={one.room_id} />
            </p>
          </Row>
        ))}
      </Rows>
    </div>
  );
}

/** The block lists, and what others would have kept back. */
export function BlockLists({ rules, set }: { rules: Rules; set: (rules: Rules) => void }) {
  const [tried, setTried] = useState<{ of: Rules; result: Looks['invites/would-block'] }>();
  const doing = useDoing();
  const submit = (event: Event) => {
    event.preventDefault();
    doing.start(async () => {
      setTried({ of: rules, result: await look('invites/would-block', { ...rules }) });
    });
  };
  return (
    <Panel title={T.blockLists}>
      <p>{T.blockAbout}</p>
      <ListsInForce />
      <h3 id="would-block" tabIndex={-1}>
        {T.tryTitle}
      </h3>
      <p class="hint">{T.tryAbout}</p>
      <form class="form" onSubmit={submit}>
        {KINDS.map((kind) => (
          <Field
            key={kind}
            label={T.lists[kind]}
            value={rules[kind]}
            set={(text) => set({ ...rules, [kind]: text })}
            rows={3}
            most={20_000}
          />
        ))}
        {doing.fault !== undefined && <Failed fault={doing.fault} />}
        <Button type="submit" isBusy={doing.isBusy}>
          {T.tryButton}
        </Button>
      </form>
      {tried !== undefined && (
        <Outcome tried={tried.result} withWords={tried.of.keywords.trim() !== ''} />
      )}
    </Panel>
  );
}
