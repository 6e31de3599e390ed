/** What was found out about one thing that the server needs, and what to do about it. */
export interface Finding {
  /** A configuration key, such as `[email] email.smtphost`, or what it is about in a word. */
  readonly about: string;
  /** A warning lets the server work, and may be meant; a problem keeps it from some of its work. */
  readonly state: 'ok' | 'warning' | 'problem';
  /** In a sentence. */
  readonly finding: string;
  /** What to do; where the finding does not say what would be right. */
  readonly remedy?: string;
}

export const ok = (about: string, finding: string): Finding => ({ about, state: 'ok', finding });

type Told = (about: string, finding: string, remedy?: string) => Finding;

const inState =
  (state: 'warning' | 'problem'): Told =>
  (about, finding, remedy) => ({
    about,
    state,
    finding,
    ...(remedy === undefined ? {} : { remedy }),
  });

/** Without a remedy where the finding says what would be right. */
export const warning: Told = inState('warning');
export const problem: Told = inState('problem');

/** A finding on a line. */
export const lineOf = ({ about, state, finding, remedy }: Finding): string =>
  `${state}: ${about}: ${finding}${remedy === undefined ? '' : `. What to do: ${remedy}`}`;

/** What an error says. */
export const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
