import { look } from '../api.ts';
import { Button } from '../parts/button.tsx';
import { Await, useLoaded } from '../parts/loading.tsx';
import { Panel } from '../parts/panel.tsx';
import { Screen } from '../parts/screen.tsx';
import { TEXTS } from '../texts.ts';
import { FindingRow } from './overview.tsx';

const T = TEXTS.checks;

export function ChecksScreen() {
  const health = useLoaded('doctor', (signal) => look('doctor', {}, signal));
  return (
    <Screen
      title={T.title}
      lead={T.lead}
      actions={
        <Button onClick={health.again} isBusy={health.isLoading}>
          {T.again}
        </Button>
      }
    >
      <Await of={health} text={TEXTS.overview.checking}>
        {({ state, findings }) => (
          <Panel title={TEXTS.overview.states[state]}>
            <ul class="findings">
              {findings.map((one) => (
                <FindingRow key={`${one.about} ${one.finding}`} {...one} />
              ))}
            </ul>
          </Panel>
        )}
      </Await>
    </Screen>
  );
}
