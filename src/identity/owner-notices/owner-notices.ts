import { parseThreePid, plainMailbox } from '../../model/addresses.ts';
import type { Clock } from '../../platform/clock.ts';
import type { OpenTransaction } from '../../storage/stores/index.ts';

/**
 * Tells owners of email addresses, by mail, that their address leads to another user, or to nobody any more: whoever
 * can read mail to an address for a moment could else take it over unnoticed. What is owed is noted in the transaction
 * that makes the change; `mailing.ts` sends it.
 */
export interface OwnerNotices {
  /** Notes a change for the owner of the address; of a phone number nobody is told. */
  owe(stores: OpenTransaction, change: AddressChange): Promise<void>;
}

export interface AddressChange {
  readonly medium: string;
  /** Folded. */
  readonly address: string;
  /** Whom it led to. */
  readonly mxid: string;
  /** Whom it leads to from now on; undefined: nobody. */
  readonly newMxid?: string | undefined;
  /** The homeserver that asked for it; undefined: an app, by a session. */
  readonly homeserver?: string | undefined;
}

export interface OwnerNoticesDependencies {
  readonly clock: Clock;
  /** Told when a notice has been added, and is committed. */
  readonly added: () => void;
}

export const createOwnerNotices = ({ clock, added }: OwnerNoticesDependencies): OwnerNotices => ({
  async owe(stores, { medium, address, mxid, newMxid, homeserver }) {
    // What an old Sydent bound may be no address.
    if (medium !== 'email' || parseThreePid(medium, address)?.address !== address) return;
    const mailbox = plainMailbox(address);
    const changedAt = clock.now();
    await stores.ownerNotices.add({ address, mailbox, mxid, newMxid, homeserver, changedAt });
    stores.onCommit(added);
  },
});
