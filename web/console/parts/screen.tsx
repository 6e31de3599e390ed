import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { session } from '../session.ts';
import { TEXTS } from '../texts.ts';
import { visible } from '../visible.ts';

interface ScreenProps {
  readonly title: string;
  readonly lead: string;
  readonly actions?: ComponentChildren;
  readonly children: ComponentChildren;
}

/** A screen. Its heading takes the focus when it appears, so that who listens hears where they are. */
export function Screen({ title, lead, actions, children }: ScreenProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = TEXTS.title(title, visible(session.get()?.about.server_name ?? TEXTS.name));
    heading.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [title]);
  return (
    <>
      <header class="screen-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          <p class="lead">{lead}</p>
        </div>
        {actions}
      </header>
      {children}
    </>
  );
}
