import { look } from '../api.ts';
import { Await, useLoaded } from '../parts/loading.tsx';
import { Panel } from '../parts/panel.tsx';
import { Row, Rows } from '../parts/rows.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { session } from '../session.ts';
import { TEXTS } from '../texts.ts';
import { FindingRow } from './overview.tsx';

const T = TEXTS.keys;
const SUBJECTS = ['signing key', 'pepper'];

export function KeysScreen() {
  const health = useLoaded('doctor', (signal) => look('doctor', { offline: true }, signal));
  return (
    <Screen title={T.title} lead={T.lead}>
      <Panel title={T.pepper}>
        <Await of={health}>
          {({ findings }) => (
            <ul class="findings">
              {findings
                .filter(({ about }) => SUBJECTS.includes(about))
                .map((one) => (
                  <FindingRow key={`${one.about} ${one.finding}`} {...one} />
                ))}
            </ul>
          )}
        </Await>
      </Panel>
      <Panel title={T.public}>
        <p>{T.publicAbout}</p>
        <Rows>
          {session.get()?.about.keys.map(({ id, public_key: key }) => (
            <Row key={id} title={<Said text={id} />}>
              <p class="mono">
                <Said text={key} />
              </p>
            </Row>
          ))}
        </Rows>
      </Panel>
      <Panel title={T.rotate}>
        <p>{T.rotateAbout}</p>
        <pre>{T.commands.join('\n')}</pre>
      </Panel>
    </Screen>
  );
}
