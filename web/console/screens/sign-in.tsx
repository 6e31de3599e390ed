import { useEffect, useRef, useState } from 'preact/hooks';
import { ask, Fault, type Looks } from '../api.ts';
import icon from '../icon.svg';
import { begin, finish, type Offer, renewed, sentBack, type Tokens } from '../oidc.ts';
import { Button } from '../parts/button.tsx';
import { Field } from '../parts/field.tsx';
import { useDoing, useLoaded } from '../parts/loading.tsx';
import { Failed, Notice } from '../parts/notice.tsx';
import { farewell, keptToken, type Session, signedIn, signedOut } from '../session.ts';
import { useStore } from '../store.ts';
import { TEXTS } from '../texts.ts';

const T = TEXTS.signIn;

/** @throws Fault */
async function sessionOf(token: string, renew?: Session['renew']): Promise<Session> {
  const about = (await ask(token, 'about', {}, { method: 'GET' })) as Looks['about'];
  return { token, about, renew };
}

const signIn = async (token: string) => signedIn(await sessionOf(token));

/** How one can sign in without a token. @throws Fault */
async function offered(): Promise<Offer | undefined> {
  const { oidc } = (await ask(undefined, 'sign-in', {}, { method: 'GET' })) as { oidc?: Offer };
  return oidc;
}

const sessionBy = (offer: Offer, { access, refresh }: Tokens): Promise<Session> =>
  sessionOf(
    access,
    refresh === undefined
      ? undefined
      : async () => {
          const next = await renewed(offer, refresh);
          return sessionBy(offer, { ...next, refresh: next.refresh ?? refresh });
        },
  );

/** Goes on with what the provider has sent back, or with the token that this tab has. */
export async function resume(): Promise<void> {
  const answer = sentBack();
  const token = keptToken();
  try {
    if (answer !== undefined) {
      const offer = await offered();
      if (offer !== undefined) signedIn(await sessionBy(offer, await finish(offer, answer)));
    } else if (token !== undefined) {
      await signIn(token);
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    if (answer !== undefined) farewell.set(error.status === 401 ? T.noRole : error.message);
    else if (error.status === 401) signedOut(T.ended);
    else farewell.set(error.message);
  }
}

/** Signs in at the provider, where there is one. */
function ByProvider({ offer }: { readonly offer: Offer }) {
  const doing = useDoing();
  return (
    <>
      <Button kind="main" isBusy={doing.isBusy} onClick={() => doing.start(() => begin(offer))}>
        {T.at(new URL(offer.issuer).host)}
      </Button>
      {doing.fault !== undefined && <Failed fault={doing.fault} />}
      <p class="or">{T.or}</p>
    </>
  );
}

export function SignIn() {
  const [token, setToken] = useState('');
  const why = useStore(farewell);
  const doing = useDoing();
  const offer = useLoaded('offer', offered);
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
      const wrong = new Fault(401, T.wrong);
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
          {T.title}
        </h1>
        <p class="lead">{T.what}</p>
        {why !== '' && <Notice tone="warning">{why}</Notice>}
        {doing.fault !== undefined && <Failed fault={doing.fault} />}
        {offer.value !== undefined && <ByProvider offer={offer.value} />}
        <form onSubmit={submit}>
          <Field
            label={T.token}
            isSecret
            value={token}
            set={setToken}
            hint={T.kept}
            most={8192}
            isRequired
          />
          <Button
            type="submit"
            kind={offer.value === undefined ? 'main' : 'plain'}
            isBusy={doing.isBusy}
          >
            {T.button}
          </Button>
        </form>
        <p class="hint">
          {T.how} <code>{T.command}</code>
        </p>
      </div>
    </main>
  );
}
