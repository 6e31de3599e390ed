import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, Fault, type Looks } from '../api.ts';
import icon from '../icon.svg';
import { Button } from '../parts/button.tsx';
import { Field } from '../parts/field.tsx';
import { useDoing } from '../parts/loading.tsx';
import { Failed, Notice } from '../parts/notice.tsx';
import { farewell, keptToken, signedIn, signedOut } from '../session.ts';
import { useStore } from '../store.ts';
import { TEXTS } from '../texts.ts';

/** @throws Fault */
async function signIn(token: string): Promise<void> {
  const about = (await ask(token, 'about', {}, { method: 'GET' })) as Looks['about'];
  signedIn({ token, about });
}

/** Goes on with the token that this tab has, where it is good still. */
export async function resume(): Promise<void> {
  const token = keptToken();
  if (token === undefined) return;
  try {
    await signIn(token);
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (error.status === 401) signedOut(TEXTS.signIn.ended);
    else farewell.set(error.message);
  }
}

export function SignIn() {
  const [token, setToken] = useState('');
  const why = useStore(farewell);
  const doing = useDoing();
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = TEXTS.name;
    heading.current?.focus();
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    doing.start(async () => {
      // No character that a header cannot hold: such is no token.
      const typed = /^[\x21-\x7e]+$/.exec(token.trim())?.[0];
      const wrong = new Fault(401, TEXTS.signIn.wrong);
      if (typed === undefined) throw wrong;
      await signIn(typed).catch((error: unknown) => {
        throw error instanceof Fault && error.status === 401 ? wrong : error;
      });
    });
  };
  return (
    <main class="sign-in">
      <div class="panel">
        <img src={icon} alt="" width="48" height="48" />
        <h1 ref={heading} tabIndex={-1}>
          {TEXTS.signIn.title}
        </h1>
        <p class="lead">{TEXTS.signIn.what}</p>
        {why !== '' && <Notice tone="warning">{why}</Notice>}
        {doing.fault !== undefined && <Failed fault={doing.fault} />}
        <form onSubmit={submit}>
          <Field
            label={TEXTS.signIn.token}
            isSecret
            value={token}
            set={setToken}
            hint={TEXTS.signIn.kept}
            most={8192}
            isRequired
          />
          <Button type="submit" kind="main" isBusy={doing.isBusy}>
            {TEXTS.signIn.button}
          </Button>
        </form>
        <p class="hint">
          {TEXTS.signIn.how} <code>{TEXTS.signIn.command}</code>
        </p>
      </div>
    </main>
  );
}
