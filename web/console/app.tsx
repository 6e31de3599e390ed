import { useEffect, useState } from 'preact/hooks';
import icon from './icon.svg';
import { Button } from './parts/button.tsx';
import { Busy } from './parts/notice.tsx';
import { Said } from './parts/said.tsx';
import { Screen } from './parts/screen.tsx';
import { Told, tell } from './parts/told.tsx';
import { go, place } from './router.ts';
import { AuditScreen } from './screens/audit.tsx';
import { ConfigurationScreen } from './screens/configuration.tsx';
import { FindScreen } from './screens/find.tsx';
import { HomeserversScreen } from './screens/homeservers.tsx';
import { InvitationsScreen } from './screens/invitations.tsx';
import { KeysScreen } from './screens/keys.tsx';
import { LimitsScreen } from './screens/limits.tsx';
import { MessagesScreen } from './screens/messages.tsx';
import { OverviewScreen } from './screens/overview.tsx';
import { PeersScreen } from './screens/peers.tsx';
import { resume, SignIn } from './screens/sign-in.tsx';
import { type Session, session, signedOut } from './session.ts';
import { useStore } from './store.ts';
import { TEXTS } from './texts.ts';

interface Entry {
  readonly screen: string;
  readonly title: string;
  readonly show: (about: string) => preact.JSX.Element;
  readonly isForOperators?: true;
}

const ENTRIES: readonly Entry[] = [
  { screen: '', title: TEXTS.overview.title, show: () => <OverviewScreen /> },
  { screen: 'find', title: TEXTS.find.title, show: (about) => <FindScreen about={about} /> },
  {
    screen: 'invitations',
    title: TEXTS.invitations.title,
    show: (about) => <InvitationsScreen about={about} />,
  },
  {
    screen: 'homeservers',
    title: TEXTS.homeservers.title,
    show: (about) => <HomeserversScreen about={about} />,
  },
  { screen: 'peers', title: TEXTS.peers.title, show: () => <PeersScreen /> },
  { screen: 'messages', title: TEXTS.messages.title, show: () => <MessagesScreen /> },
  { screen: 'limits', title: TEXTS.limits.title, show: () => <LimitsScreen /> },
  {
    screen: 'audit',
    title: TEXTS.audit.title,
    show: (about) => <AuditScreen about={about} />,
    isForOperators: true,
  },
  {
    screen: 'configuration',
    title: TEXTS.configuration.title,
    show: () => <ConfigurationScreen />,
  },
  { screen: 'keys', title: TEXTS.keys.title, show: () => <KeysScreen /> },
];

/** What is signed in: the menu, and the screen that is chosen. */
function House({ signed }: { readonly signed: Session }) {
  const [isOpen, setOpen] = useState(false);
  const here = useStore(place);
  const { about } = signed;
  const entries = ENTRIES.filter(
    ({ isForOperators }) => !isForOperators || about.role === 'operator',
  );
  const entry = entries.find(({ screen }) => screen === here.screen);
  useEffect(() => {
    setOpen(false);
    tell('');
  }, [here]);
  return (
    <div class="house">
      <button
        type="button"
        class="skip"
        onClick={() => document.getElementById('content')?.focus()}
      >
        {TEXTS.skip}
      </button>
      <header class="side">
        <div class="side-in">
          <div class="brand">
            <img src={icon} alt="" width="32" height="32" />
            <p class="brand-name">
              <Said text={about.server_name} />
              <span class="brand-version">Cognomen {about.version}</span>
            </p>
            <button
              type="button"
              class="menu-button"
              aria-expanded={isOpen}
              aria-controls="menu"
              onClick={() => setOpen(!isOpen)}
            >
              {TEXTS.menu}
            </button>
          </div>
          <div id="menu" class={isOpen ? 'menu open' : 'menu'}>
            <nav aria-label={TEXTS.nav}>
              <ul>
                {entries.map(({ screen, title }) => (
                  <li key={screen}>
                    <a
                      href={`#/${screen}`}
                      aria-current={screen === here.screen ? 'page' : undefined}
                      onClick={(event) => {
                        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
                        event.preventDefault();
                        go(screen);
                      }}
                    >
                      {title}
                    </a>
                  </li>
                ))}
              </ul>
            </nav>
            <div class="who">
              <p>
                <Said text={about.who} />
                <span class="who-role">{TEXTS.roles[about.role]}</span>
              </p>
              {about.role === 'viewer' && <p class="hint">{TEXTS.onlyLooks}</p>}
              <Button kind="quiet" onClick={() => signedOut()}>
                {TEXTS.signIn.out}
              </Button>
            </div>
          </div>
        </div>
      </header>
      <main id="content" tabIndex={-1}>
        <Told />
        {entry === undefined ? (
          <Screen title={TEXTS.unknown.title} lead={TEXTS.unknown.lead}>
            {null}
          </Screen>
        ) : (
          <div key={`${entry.screen} ${here.about}`}>{entry.show(here.about)}</div>
        )}
      </main>
    </div>
  );
}

/** The console. */
export function App() {
  const signed = useStore(session);
  const [isResumed, setResumed] = useState(false);
  useEffect(() => {
    void resume().finally(() => setResumed(true));
  }, []);
  if (signed !== undefined) return <House signed={signed} />;
  return isResumed ? <SignIn /> : <Busy text={TEXTS.signIn.checking} />;
}
