import type { Medium } from './addresses.ts';
import type { Language } from './languages.ts';

/**
 * What a link of a message came to. Of one that proves an address: it asks for a click, the address is proven, the
 * link is too old. Of one that refuses invitations: it asks for a click, they are refused. Of both: it failed.
 */
export type PageOutcome = 'ask' | 'proven' | 'expired' | 'refuse' | 'refused' | 'failed';

/** Why a link failed: there is no such session, the code is another, something in the link is missing or was changed. */
export type PageFailure = 'unknown' | 'wrong' | 'incomplete';

/** The page that a link in a message opens. */
export interface ResultPage {
  readonly brand: string | undefined;
  /** What the reader's browser likes best; undefined: nothing that there is. */
  readonly language: Language | undefined;
  readonly medium: Medium;
  readonly outcome: PageOutcome;
  /** For `failed`. */
  readonly failure?: PageFailure;
  /** The address, shortened, for who has a right code of it. */
  readonly shownAddress?: string | undefined;
  /** Where the click of `ask` and `refuse` goes: a relative URL. */
  readonly action?: string;
  /** The way from the page to `/_matrix/identity/`, whatever a proxy has put before it: `../../`. */
  readonly root: string;
}
