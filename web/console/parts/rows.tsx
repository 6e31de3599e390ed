import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { type Args, type ListPage, type Lists, list } from '../api.ts';
import { TEXTS } from '../texts.ts';
import { Button } from './button.tsx';
import { type Loaded, useLoaded } from './loading.tsx';

export const Rows = ({ children }: { readonly children: ComponentChildren }) => (
  <ul class="rows">{children}</ul>
);

interface RowProps {
  readonly title: ComponentChildren;
  readonly children?: ComponentChildren;
  readonly actions?: ComponentChildren;
}

/** One of a list: what it is, what is known of it, what can be done with it. */
export const Row = ({ title, children, actions }: RowProps) => (
  <li class="row">
    <div class="row-what">
      <p class="row-title">{title}</p>
      {children}
    </div>
    {actions !== undefined && <div class="row-do">{actions}</div>}
  </li>
);

/** So many on a page. */
const LIMIT = 50;

/** A list of the server, a page at a time. */
export interface Paged<T> extends Loaded<ListPage<T>> {
  readonly number: number;
  readonly hasEarlier: boolean;
  readonly hasLater: boolean;
  earlier(): void;
  later(): void;
}

/** Goes through a list by the server's own cursor: any page of it takes as long as the first. */
export function usePaged<P extends keyof Lists>(path: P, args: Args): Paged<Lists[P]> {
  const which = JSON.stringify(args);
  const [gone, setGone] = useState<{ which: string; cursors: readonly string[] }>({
    which,
    cursors: [],
  });
  const cursors = gone.which === which ? gone.cursors : [];
  const after = cursors.at(-1);
  const loaded = useLoaded(`${path} ${which} ${after ?? ''}`, (signal) =>
    list(path, { ...args, limit: LIMIT, after }, signal),
  );
  const next = loaded.value?.next;
  return {
    ...loaded,
    number: cursors.length + 1,
    hasEarlier: cursors.length > 0,
    hasLater: next !== undefined,
    earlier: () => setGone({ which, cursors: cursors.slice(0, -1) }),
    later: () => next !== undefined && setGone({ which, cursors: [...cursors, next] }),
  };
}

/** How to get to the other pages, where there are any. */
export function Pager({ of }: { readonly of: Paged<unknown> }) {
  if (!of.hasEarlier && !of.hasLater) return null;
  return (
    <nav class="pager" aria-label={TEXTS.pages}>
      {of.hasEarlier && <Button onClick={of.earlier}>← {TEXTS.earlier}</Button>}
      <span aria-current="page">{TEXTS.page(of.number)}</span>
      {of.hasLater && <Button onClick={of.later}>{TEXTS.later} →</Button>}
    </nav>
  );
}
