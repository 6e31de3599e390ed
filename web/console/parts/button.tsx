import type { ComponentChildren } from 'preact';

interface ButtonProps {
  readonly kind?: 'main' | 'plain' | 'grave' | 'quiet';
  readonly type?: 'button' | 'submit';
  /** What it is about, for who does not see where it stands. */
  readonly of?: string;
  readonly isBusy?: boolean;
  readonly onClick?: () => void;
  readonly children: ComponentChildren;
}

/** A button; while it is busy it cannot be pressed again, and keeps the focus. */
export function Button(props: ButtonProps) {
  const { kind = 'plain', type = 'button', of, isBusy = false, onClick, children } = props;
  return (
    <button
      type={type}
      class={`button ${kind}`}
      aria-disabled={isBusy}
      onClick={(event) => {
        if (isBusy) event.preventDefault();
        else onClick?.();
      }}
    >
      {isBusy && <span class="spinner" aria-hidden="true" />}
      {children}
      {of !== undefined && <span class="hidden"> {of}</span>}
    </button>
  );
}
