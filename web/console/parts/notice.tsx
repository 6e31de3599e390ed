import type { ComponentChildren } from 'preact';
import type { Fault } from '../api.ts';
import { TEXTS } from '../texts.ts';
import { Button } from './button.tsx';
import { Said } from './said.tsx';

export type Tone = 'ok' | 'warning' | 'problem' | 'calm';

const SIGNS: Readonly<Record<Tone, string>> = { ok: '✓', warning: '!', problem: '×', calm: 'i' };

/** A sign of its own shape for each state: nobody has to tell colours apart. */
export const Sign = ({ tone }: { readonly tone: Tone }) => (
  <span class={`sign ${tone}`} aria-hidden="true">
    {SIGNS[tone]}
  </span>
);

interface NoticeProps {
  readonly tone: Tone;
  readonly children: ComponentChildren;
}

export const Notice = ({ tone, children }: NoticeProps) => (
  <div class={`notice ${tone}`}>
    <Sign tone={tone} />
    <div>{children}</div>
  </div>
);

/** What could not be had, why, and how to try again. */
export const Failed = ({
  fault,
  again,
}: {
  readonly fault: Fault;
  readonly again?: () => void;
}) => (
  <div role="alert">
    <Notice tone="problem">
      <p>
        {TEXTS.failed}: <Said text={fault.message} />
      </p>
      {again !== undefined && <Button onClick={again}>{TEXTS.again}</Button>}
    </Notice>
  </div>
);

/** That there is nothing, and what would be here. */
export const Empty = ({ title, children }: { title: string; children?: ComponentChildren }) => (
  <div class="empty">
    <p class="empty-title">{title}</p>
    {children !== undefined && <p>{children}</p>}
  </div>
);

/** That something is on its way. */
export const Busy = ({ text = TEXTS.loading }: { readonly text?: string }) => (
  <p class="busy" role="status">
    <span class="spinner" aria-hidden="true" />
    {text} …
  </p>
);

/** A word on how something is. */
export const Badge = ({ tone, children }: NoticeProps) => (
  <span class={`badge ${tone}`}>{children}</span>
);
