import { useState } from 'preact/hooks';
import { change, list } from '../api.ts';
import { Asking } from '../parts/asking.tsx';
import { Button } from '../parts/button.tsx';
import { Await, useDoing, useLoaded } from '../parts/loading.tsx';
import { Empty, Failed } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Row, Rows } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { tell } from '../parts/told.tsx';
import { When } from '../parts/when.tsx';
import { mayChange } from '../session.ts';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';
import { BlockedPanel, BlockQuestion, blockable } from './blocks.tsx';

const T = TEXTS.limits;

export function LimitsScreen() {
  const hits = useLoaded('limits', (signal) => list('limits/list', {}, signal));
  const blocks = useLoaded('blocks', (signal) => list('limits/blocks', {}, signal));
  const [whom, setWhom] = useState<string>();
  const doing = useDoing();
  const reset = (key: string) =>
    doing.start(async () => {
      await change('limits/reset', { key });
      tell(T.done(visible(key)));
      hits.again();
    });
  return (
    <Screen title={T.title} lead={T.lead}>
      {doing.fault !== undefined && <Failed fault={doing.fault} />}
      <Panel title={TEXTS.all}>
        <Await of={hits}>
          {({ items }) =>
            items.length === 0 ? (
              <Empty title={T.empty}>{T.emptyAbout}</Empty>
            ) : (
              <Rows>
                {items.map(({ limit, key, times, last }) => (
                  <Row
                    key={`${limit} ${key}`}
                    title={key === '' ? T.everybody : <Said text={key} />}
                    actions={
                      mayChange() ? (
                        <>
                          <Button
                            onClick={() => reset(key === '' ? limit : key)}
                            of={T.resetOf(visible(key === '' ? limit : key))}
                          >
                            {T.reset}
                          </Button>
                          {blockable(key) !== undefined && (
                            <Button
                              onClick={() => setWhom(blockable(key))}
                              of={visible(blockable(key) ?? '')}
                            >
                              {TEXTS.blocks.block}
                            </Button>
                          )}
                        </>
                      ) : undefined
                    }
                  >
                    <p class="row-meta">
                      <code>{limit}</code> · {T.times(times)}, {T.last} <When at={last} />
                    </p>
                  </Row>
                ))}
              </Rows>
            )
          }
        </Await>
      </Panel>
      <BlockedPanel of={blocks} ask={() => setWhom('')} />
      {mayChange() && (
        <Panel title={T.one}>
          <Asking label={T.key} button={T.reset} isBusy={doing.isBusy} isRequired asked={reset} />
        </Panel>
      )}
      {whom !== undefined && (
        <BlockQuestion whom={whom} close={() => setWhom(undefined)} done={blocks.again} />
      )}
    </Screen>
  );
}
