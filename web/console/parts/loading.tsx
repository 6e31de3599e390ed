import type { ComponentChildren } from 'preact';
import { useCallback, useEffect, useState } from 'preact/hooks';
import { Fault } from '../api.ts';
import { Busy, Failed } from './notice.tsx';

/** Something of the server: on its way, there, or refused. */
export interface Loaded<T> {
  readonly value: T | undefined;
  readonly fault: Fault | undefined;
  readonly isLoading: boolean;
  again(): void;
}

/** What came of work that may be refused; what is no refusal is thrown. */
const asFault = (error: unknown): Fault => {
  if (error instanceof Fault) return error;
  throw error;
};

/**
 * Asks for something when the screen shows it, and whenever what is asked for changes.
 * @param key undefined: nothing is asked for yet
 */
export function useLoaded<T>(
  key: string | undefined,
  load: (signal: AbortSignal) => Promise<T>,
): Loaded<T> {
  const [round, setRound] = useState(0);
  const [state, setState] = useState<{ value?: T; fault?: Fault; of?: string }>({});
  const asked = key === undefined ? undefined : `${key} ${round}`;
  useEffect(() => {
    if (asked === undefined) return;
    const ending = new AbortController();
    load(ending.signal).then(
      (value) => ending.signal.aborted || setState({ value, of: asked }),
      (error: unknown) => ending.signal.aborted || setState({ fault: asFault(error), of: asked }),
    );
    return () => ending.abort();
  }, [asked]);
  const isOfThis = state.of === asked;
  const isOfKey = key !== undefined && state.of?.startsWith(`${key} `) === true;
  return {
    value: isOfKey ? state.value : undefined,
    fault: isOfThis ? state.fault : undefined,
    isLoading: asked !== undefined && !isOfThis,
    again: useCallback(() => setRound((before) => before + 1), []),
  };
}

interface AwaitProps<T> {
  readonly of: Loaded<T>;
  readonly text?: string;
  readonly children: (value: T) => ComponentChildren;
}

/** Shows what was asked for, or how far that is. What was there stays while it is asked for again. */
export function Await<T>({ of, text, children }: AwaitProps<T>) {
  if (of.fault !== undefined) return <Failed fault={of.fault} again={of.again} />;
  if (of.value === undefined) return <Busy {...(text !== undefined && { text })} />;
  return <div aria-busy={of.isLoading}>{children(of.value)}</div>;
}

/** Something that is done once it is asked for: whether it is under way, and what it was refused with. */
export interface Doing {
  readonly isBusy: boolean;
  readonly fault: Fault | undefined;
  /** Does it, unless it is under way already. */
  start(work: () => Promise<void>): void;
}

export function useDoing(): Doing {
  const [state, setState] = useState<{ isBusy: boolean; fault?: Fault }>({ isBusy: false });
  return {
    isBusy: state.isBusy,
    fault: state.fault,
    start(work) {
      if (state.isBusy) return;
      setState({ isBusy: true });
      work().then(
        () => setState({ isBusy: false }),
        (error: unknown) => setState({ isBusy: false, fault: asFault(error) }),
      );
    },
  };
}
