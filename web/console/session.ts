import type { Looks } from './api.ts';
import { createStore } from './store.ts';

/** Who is signed in. */
export interface Session {
  readonly token: string;
  readonly about: Looks['about'];
  /** Gets another token where this one has ended; undefined where nobody gives one. */
  readonly renew?: (() => Promise<Session>) | undefined;
}

/**
 * Where the token is kept over a reload: of this tab alone, and gone with it. It is in no URL, no cookie and no storage that
 * outlives the tab. docs/console.md says what that is worth.
 */
const KEY = 'cognomen-token';

export const session = createStore<Session | undefined>(undefined);
/** Why one is asked to sign in, where there is something to say. */
export const farewell = createStore('');

export const keptToken = (): string | undefined => sessionStorage.getItem(KEY) ?? undefined;

export function signedIn(made: Session): void {
  sessionStorage.setItem(KEY, made.token);
  farewell.set('');
  session.set(made);
}

export function signedOut(why = ''): void {
  sessionStorage.removeItem(KEY);
  farewell.set(why);
  session.set(undefined);
}

let renewing: Promise<boolean> | undefined;

/** Goes on with another token, asking for it once however many want it; whether there is one. */
export function renewed(): Promise<boolean> {
  const { renew } = session.get() ?? {};
  if (renew === undefined) return Promise.resolve(false);
  renewing ??= renew()
    .then(
      (made) => {
        signedIn(made);
        return true;
      },
      () => false,
    )
    .finally(() => {
      renewing = undefined;
    });
  return renewing;
}

/** The token of who is signed in. */
export const token = (): string => session.get()?.token ?? '';

/** Whether who is signed in may change something. */
export const mayChange = (): boolean => session.get()?.about.role === 'operator';
