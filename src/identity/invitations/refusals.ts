import { createHmac } from 'node:crypto';
import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import type { Pace } from '../../platform/pace.ts';
import type { Random } from '../../platform/random.ts';
import type { Storage, Stores } from '../../storage/stores/index.ts';
import { plainMailbox } from '../limits/charges.ts';
import type { MessageTrail } from '../messages/message-trail.ts';
import { sameSecret } from '../secrets.ts';
import type { InvitationMail } from './invitation-text.ts';

/** Owners of addresses who want no invitations mailed to them: by a link that each of these mails has. */
export interface Refusals {
  /** Whether the token of a link is one of ours. */
  isToken(token: string): Promise<boolean>;
  /** Has no invitation mailed any more to whom the token was. Whether it is one of ours. */
  refuse(token: string): Promise<boolean>;
  /**
   * Sends it, with its link; or does nothing, in the same time, where the owner of the address has refused. Whoever
   * invites is not to learn of that.
   * @throws what `send` does
   */
  sendUnlessRefused(
    mail: InvitationMail,
    send: (mail: InvitationMail) => Promise<void>,
  ): Promise<void>;
}

export interface RefusalsDependencies {
  readonly storage: Pick<Storage, 'stores' | 'logTransaction'>;
  readonly clock: Clock;
  readonly random: Random;
  readonly pace: Pace;
  readonly logger: Logger;
  readonly trail: Pick<MessageTrail, 'note'>;
  /** Called for each mail that is not sent. */
  readonly onWithheld: () => void;
  /** The URL that links lead to; undefined where nobody knows how this server is reached: mails have no link then. */
  readonly url: string | undefined;
}

/**
 * The state that holds the key of hashes and links. It stays whatever other keys are rotated: with another one, what was
 * refused would be forgotten, and links in mails would be dead.
 */
const KEY = 'refusals_key';
const KEY_BYTES = 32;
/** 128 bits of each hash: as base64. */
const HASH_LENGTH = 22;

const hmac = (key: string, text: string) =>
  createHmac('sha256', key).update(text).digest('base64url').slice(0, HASH_LENGTH);

/** What a mailbox is called here: all spellings of an address in which mail to it arrives. */
const hashOf = (key: string, address: string) => hmac(key, `mailbox ${plainMailbox(address)}`);

/** Names the mailbox, and proves that the link is from here. */
const tokenOf = (key: string, hash: string) => `${hash}${hmac(key, `link ${hash}`)}`;

type RefusalStores = Pick<Stores, 'state' | 'invitationRefusals'>;

/** The mailbox of an address as it is called here; undefined as long as no link was ever mailed. */
async function knownHash({ state }: RefusalStores, address: string): Promise<string | undefined> {
  const key = await state.get(KEY);
  return key === undefined ? undefined : hashOf(key, address);
}

/** @param url where links lead to; undefined: mails have none */
function linkFor(
  url: string | undefined,
  token: string,
  brand: string | undefined,
): string | undefined {
  const query = new URLSearchParams({ token, ...(brand !== undefined && { brand }) });
  return url && `${url}?${query}`;
}

/** The link of a mail that goes out once more; undefined as long as no link was ever mailed. */
export async function refusalLink(
  { state }: Pick<Stores, 'state'>,
  { address, brand }: Pick<InvitationMail, 'address' | 'brand'>,
  url: string | undefined,
): Promise<string | undefined> {
  const key = await state.get(KEY);
  return key === undefined ? undefined : linkFor(url, tokenOf(key, hashOf(key, address)), brand);
}

/** Since when no invitations are mailed to a folded address; undefined when they are. */
export async function refusedSince(
  stores: RefusalStores,
  address: string,
): Promise<number | undefined> {
  const hash = await knownHash(stores, address);
  return hash === undefined ? undefined : stores.invitationRefusals.since(hash);
}

/** Has invitations mailed to a folded address again. Whether its owner had refused them. */
export async function allowAgain(stores: RefusalStores, address: string): Promise<boolean> {
  const hash = await knownHash(stores, address);
  return hash !== undefined && stores.invitationRefusals.remove(hash);
}

export function createRefusals(deps: RefusalsDependencies): Refusals {
  const { storage, clock, random, pace, logger, trail, url } = deps;
  let known: string | undefined;

  async function knownKey(): Promise<string | undefined> {
    known ??= await storage.stores.state.get(KEY);
    return known;
  }

  /** Under the log's lock: of two processes that need one at once, one makes it. */
  const makeKey = () =>
    storage.logTransaction(async ({ state }) => {
      const others = await state.get(KEY);
      if (others !== undefined) return others;
      const made = random.bytes(KEY_BYTES).toString('base64');
      await state.set(KEY, made);
      return made;
    });

  async function key(): Promise<string> {
    known = (await knownKey()) ?? (await makeKey());
    return known;
  }

  /** The mailbox that a token names; undefined where it is none of ours. */
  async function mailboxIn(token: string): Promise<string | undefined> {
    const current = await knownKey();
    const hash = token.slice(0, HASH_LENGTH);
    return current !== undefined && sameSecret(token, tokenOf(current, hash)) ? hash : undefined;
  }

  return {
    isToken: async (token) => (await mailboxIn(token)) !== undefined,

    async refuse(token) {
      const { invitationRefusals } = storage.stores;
      const hash = await mailboxIn(token);
      if (hash === undefined) return false;
      // However often the link is used, it is written once.
      if ((await invitationRefusals.since(hash)) === undefined) {
        await invitationRefusals.add(hash, clock.now());
        logger.info('Somebody wants no invitations mailed to them any more');
      }
      return true;
    },

    async sendUnlessRefused(mail, send) {
      const { address, brand } = mail;
      const current = await key();
      const hash = hashOf(current, address);
      if ((await storage.stores.invitationRefusals.since(hash)) !== undefined) {
        await pace.imitate();
        deps.onWithheld();
        logger.info({ kind: 'invitation' }, 'Mail withheld: the owner of the address refuses them');
        const details = { what: 'invitation', brand };
        trail.note({ event: 'withheld', medium: 'email', address, details });
        return;
      }
      const link = linkFor(url, tokenOf(current, hash), brand);
      await pace.measured(() => send({ ...mail, refuseUrl: link }));
    },
  };
}
