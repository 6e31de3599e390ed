import { createStore } from './store.ts';

/** Where one is: a screen, and what it is about. */
export interface Place {
  readonly screen: string;
  /** Whom or what is looked for. It is kept in the history's entry: no address is ever in a URL. */
  readonly about: string;
}

const here = (): Place => {
  const state: unknown = history.state;
  const about =
    typeof state === 'object' && state !== null && 'about' in state ? state.about : undefined;
  return {
    screen: location.hash.replace(/^#\/?/, ''),
    about: typeof about === 'string' ? about : '',
  };
};

export const place = createStore(here());

/** Goes to a screen; about whom, where it is about somebody. */
export function go(screen: string, about = ''): void {
  const isSame = screen === place.get().screen && about === place.get().about;
  history[isSame ? 'replaceState' : 'pushState']({ about }, '', `#/${screen}`);
  place.set(here());
}

/** Puts the first screen in the place of what the URL says. */
export function startAnew(): void {
  history.replaceState(null, '', '#/');
  place.set(here());
}

for (const event of ['popstate', 'hashchange']) {
  addEventListener(event, () => place.set(here()));
}
