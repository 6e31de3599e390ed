import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import type { Pace } from '../../platform/pace.ts';
import type { Storage } from '../../storage/stores/index.ts';
import type { MessageTrail } from '../messages/message-trail.ts';
import type { InvitationMail } from './invitation-text.ts';
import { allowAgain, createRefusalLinks, type RefusalLinksDependencies } from './refusal-links.ts';

/** Owners of addresses who want no invitations mailed to them: by a link that each of these mails has. */
export interface Refusals {
  /** Whether the token of a link is one of ours. */
  isToken(token: string): Promise<boolean>;
  /** Has no invitation mailed any more to whom the token was. Whether it is one of ours. */
  refuse(token: string): Promise<boolean>;
  /** Has no invitation mailed any more to a folded address, or has them mailed again: for who has proven it. */
  setRefused(address: string, isRefused: boolean): Promise<void>;
  /**
   * Sends it, with its link; or goes no further than the relay, in the same time, where the owner of the address has
   * refused. Whoever invites is not to learn of that.
   * @throws what the ways do
   */
  sendUnlessRefused(mail: InvitationMail, ways: InvitationMails): Promise<void>;
}

/** What becomes of the mail of an invitation. Both fail alike while the relay takes none. */
export interface InvitationMails {
  sendInvitation(mail: InvitationMail): Promise<void>;
  withholdInvitation(mail: InvitationMail): Promise<void>;
}

export interface RefusalsDependencies extends RefusalLinksDependencies {
  readonly storage: Pick<Storage, 'stores' | 'logTransaction'>;
  readonly clock: Clock;
  readonly pace: Pace;
  readonly logger: Logger;
  readonly trail: Pick<MessageTrail, 'note'>;
  /** Called for each mail that is not sent. */
  readonly onWithheld: () => void;
}

export function createRefusals(deps: RefusalsDependencies): Refusals {
  const { storage, clock, pace, logger, trail } = deps;
  const links = createRefusalLinks(deps);

  async function add(hash: string): Promise<void> {
    const { invitationRefusals } = storage.stores;
    // However often it is asked for, it is written once.
    if ((await invitationRefusals.since(hash)) !== undefined) return;
    await invitationRefusals.add(hash, clock.now());
    logger.info('Somebody wants no invitations mailed to them any more');
  }

  return {
    isToken: async (token) => (await links.hashIn(token)) !== undefined,

    async refuse(token) {
      const hash = await links.hashIn(token);
      if (hash !== undefined) await add(hash);
      return hash !== undefined;
    },

    async setRefused(address, isRefused) {
      if (isRefused) await add(await links.hashOf(address));
      else await allowAgain(storage.stores, address);
    },

    async sendUnlessRefused(mail, { sendInvitation, withholdInvitation }) {
      const { address, brand } = mail;
      const hash = await links.hashOf(address);
      if ((await storage.stores.invitationRefusals.since(hash)) === undefined) {
        const refuseUrl = await links.linkFor(mail);
        return pace.measured(() => sendInvitation({ ...mail, refuseUrl }));
      }
      await pace.imitate(() => withholdInvitation(mail));
      deps.onWithheld();
      logger.info({ kind: 'invitation' }, 'Mail withheld: the owner of the address refuses them');
      const details = { what: 'invitation', brand };
      trail.note({ event: 'withheld', medium: 'email', address, details });
    },
  };
}
