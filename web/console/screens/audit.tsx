import type { Lists } from '../api.ts';
import { Asking } from '../parts/asking.tsx';
import { Await } from '../parts/loading.tsx';
import { Badge, Empty, type Tone } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Pager, Row, Rows, usePaged } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { When } from '../parts/when.tsx';
import { go } from '../router.ts';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';

const T = TEXTS.audit;

const TONES: Readonly<Record<string, Tone>> = {
  done: 'ok',
  failed: 'problem',
  refused: 'problem',
  begun: 'warning',
};

const Details = ({ of }: { readonly of: Lists['audit/list']['details'] }) => (
  <>
    {Object.entries(of).map(([name, value]) => (
      <span key={name}>
        {' · '}
        {name} {value !== true && <Said text={value} />}
      </span>
    ))}
  </>
);

export function AuditScreen({ about }: { readonly about: string }) {
  const paged = usePaged('audit/list', {
    newest: true,
    address_or_mxid: about === '' ? undefined : about,
  });
  return (
    <Screen title={T.title} lead={T.lead}>
      <Asking
        label={T.about}
        button={TEXTS.show}
        kind="plain"
        before={about}
        asked={(text) => go('audit', text)}
      />
      <Panel title={about === '' ? TEXTS.all : visible(about)}>
        <Await of={paged}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title={about === '' ? T.empty : T.noneFound} />
            ) : (
              <Rows>
                {items.map((one) => (
                  <Row
                    key={one.id}
                    title={
                      <>
                        {one.action} {one.about !== undefined && <Said text={one.about} />}
                      </>
                    }
                  >
                    <p class="row-meta">
                      <Badge tone={TONES[one.outcome] ?? 'calm'}>
                        {T.outcomes[one.outcome] ?? one.outcome}
                      </Badge>{' '}
                      <When at={one.at} /> · <Said text={one.who} /> · {T.via[one.via] ?? one.via}{' '}
                      {T.from} <Said text={one.origin} />
                      <Details of={one.details} />
                    </p>
                  </Row>
                ))}
              </Rows>
            )
          }
        </Await>
        <Pager of={paged} />
      </Panel>
    </Screen>
  );
}
