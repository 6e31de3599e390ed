import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Button } from './button.tsx';
import { type Doing, useDoing } from './loading.tsx';
import { Failed } from './notice.tsx';

interface QuestionProps {
  readonly title: string;
  /** What will be gone. */
  readonly children: ComponentChildren;
  readonly yes: string;
  readonly no: string;
  /** What is done when the answer is yes; the question goes away when it is done. */
  act(): Promise<void>;
  close(): void;
}

/** Asks once before something is done that cannot be taken back. The answer that is at hand first is no. */
export function Question({ title, children, yes, no, act, close }: QuestionProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const isDone = useRef(false);
  const id = useId();
  const doing: Doing = useDoing();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current?.showModal();
    return () => {
      // What was done may have taken away what it was done to.
      const back = isDone.current ? document.getElementById('content') : before;
      if (back instanceof HTMLElement) back.focus();
    };
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    doing.start(async () => {
      await act();
      isDone.current = true;
      close();
    });
  };
  return (
    <dialog
      ref={dialog}
      class="question"
      aria-labelledby={id}
      onClose={close}
      onCancel={(event) => doing.isBusy && event.preventDefault()}
    >
      <form onSubmit={submit}>
        <h2 id={id}>{title}</h2>
        <div class="question-body">{children}</div>
        {doing.fault !== undefined && <Failed fault={doing.fault} />}
        <div class="question-answers">
          <Button kind="plain" onClick={() => !doing.isBusy && dialog.current?.close()}>
            {no}
          </Button>
          <Button kind="grave" type="submit" isBusy={doing.isBusy}>
            {yes}
          </Button>
        </div>
      </form>
    </dialog>
  );
}
