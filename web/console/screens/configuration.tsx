import { useState } from 'preact/hooks';
import { type Lists, type Looks, list, look } from '../api.ts';
import { Button } from '../parts/button.tsx';
import { Few } from '../parts/few.tsx';
import { Field } from '../parts/field.tsx';
import { Await, useLoaded } from '../parts/loading.tsx';
import { Badge, Empty, Notice } from '../parts/notice.tsx';
import { Panel } from '../parts/panel.tsx';
import { Said } from '../parts/said.tsx';
import { Screen } from '../parts/screen.tsx';
import { TEXTS } from '../texts.ts';
import { FindingRow } from './overview.tsx';

const T = TEXTS.configuration;
type Setting = Lists['config/show'];
type Finding = Looks['doctor']['findings'][number];

/** The key that a finding names, as `[section] key`; what doctor says of the text names it in the sentence. */
function keyIn({ about, finding }: Finding): string | undefined {
  const text = about === 'configuration' ? finding : about;
  return /^\[[\w.]+\] [^\s:]+/.exec(text)?.[0];
}

const Findings = ({ of }: { readonly of: readonly Finding[] }) => (
  <ul class="findings">
    {of.map((one) => (
      <FindingRow key={`${one.about} ${one.finding}`} {...one} />
    ))}
  </ul>
);

/** What doctor says, apart from what it says of single keys that are well. */
function Verdict({ health }: { readonly health: Looks['doctor'] }) {
  const todo = health.findings.filter(({ state }) => state !== 'ok');
  return (
    <Panel title={TEXTS.overview.states[health.state]}>
      {todo.length === 0 ? (
        <Empty title={TEXTS.overview.nothing}>{TEXTS.overview.nothingMore}</Empty>
      ) : (
        <Findings of={todo} />
      )}
      <details>
        <summary>{T.good}</summary>
        <Findings of={health.findings.filter((one) => one.state === 'ok')} />
      </details>
    </Panel>
  );
}

function SettingRow({ setting, findings }: { setting: Setting; findings: readonly Finding[] }) {
  const { key, value, from, about, after_restart: next } = setting;
  return (
    <li class="setting">
      <div class="setting-head">
        <p class="row-title">
          <code>
            <Said text={key} />
          </code>
        </p>
        {from === 'default' ? (
          <Badge tone="calm">{T.isDefault}</Badge>
        ) : (
          <span class="row-meta">
            {T.from} <Said text={from} />
          </span>
        )}
      </div>
      {value === undefined || value === '' ? (
        <p class="row-meta">{T.nothing}</p>
      ) : (
        <p class="mono setting-value">
          <Said text={value} />
        </p>
      )}
      {about !== '' && <p class="hint">{about}</p>}
      {next !== undefined && (
        <Notice tone="warning">
          <p>
            {T.next}{' '}
            {next === '' ? (
              T.nothing
            ) : (
              <code>
                <Said text={next} />
              </code>
            )}
          </p>
        </Notice>
      )}
      {findings.length > 0 && <Findings of={findings} />}
    </li>
  );
}

type Which = 'set' | 'all';

function Settings({
  items,
  findings,
}: {
  items: readonly Setting[];
  findings: readonly Finding[];
}) {
  const [which, setWhich] = useState<Which>('set');
  const [part, setPart] = useState('');
  const byKey = Map.groupBy(findings, (one) => keyIn(one) ?? '');
  const findingsOf = ({ section, key }: Setting) => byKey.get(`[${section}] ${key}`) ?? [];
  const wanted = part.trim().toLowerCase();
  const shown = items.filter((setting) => {
    const { section, key, from, about, after_restart: next } = setting;
    if (wanted !== '') return `${section} ${key} ${about}`.toLowerCase().includes(wanted);
    const isTroubled = findingsOf(setting).some(({ state }) => state !== 'ok');
    return which === 'all' || from !== 'default' || next !== undefined || isTroubled;
  });
  return (
    <>
      <div class="bar">
        <Field label={T.filter} value={part} set={setPart} />
        <Few
          label={T.which}
          options={[
            ['set', T.set],
            ['all', T.all(items.length)],
          ]}
          value={which}
          set={setWhich}
        />
      </div>
      {shown.length === 0 && <Empty title={T.none}>{T.noneAbout}</Empty>}
      {[...Map.groupBy(shown, ({ section }) => section)].map(([section, settings]) => (
        <section class="settings-section" key={section}>
          <h3>
            <code>[{section}]</code>
          </h3>
          <ul>
            {settings.map((setting) => (
              <SettingRow key={setting.key} setting={setting} findings={findingsOf(setting)} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

export function ConfigurationScreen() {
  const health = useLoaded('doctor', (signal) => look('doctor', {}, signal));
  const settings = useLoaded('config', (signal) => list('config/show', {}, signal));
  return (
    <Screen
      title={T.title}
      lead={T.lead}
      actions={
        <Button
          onClick={() => {
            health.again();
            settings.again();
          }}
          isBusy={health.isLoading || settings.isLoading}
        >
          {T.again}
        </Button>
      }
    >
      <Await of={health} text={TEXTS.overview.checking}>
        {(value) => <Verdict health={value} />}
      </Await>
      <Panel title={T.inForce}>
        <Await of={settings}>
          {({ items }) => <Settings items={items} findings={health.value?.findings ?? []} />}
        </Await>
      </Panel>
    </Screen>
  );
}
