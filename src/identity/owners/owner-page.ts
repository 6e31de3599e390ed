import type { Language } from '../../model/languages.ts';
import type { SeenByOwner } from './owners.ts';

/** What went wrong, or was done, just before the page is shown. */
export type OwnerNotice =
  | 'address'
  | 'number'
  | 'sms_off'
  | 'limit'
  | 'busy'
  | 'code'
  | 'expired'
  | 'ended'
  | 'erased';

/** The page on which owners of addresses see and change what is kept of them. */
export interface OwnerPage {
  /** What the reader's browser likes best; undefined: nothing that there is. */
  readonly language: Language | undefined;
  /** The way from the page to `/_matrix/identity/`, whatever a proxy has put before it: `../`. */
  readonly root: string;
  /** What each form carries. */
  readonly formToken: string;
  readonly notice: OwnerNotice | undefined;
  readonly seen: SeenByOwner;
}
