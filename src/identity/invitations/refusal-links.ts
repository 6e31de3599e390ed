import { createHmac } from 'node:crypto';
import { plainMailbox } from '../../model/addresses.ts';
import type { Random } from '../../platform/random.ts';
import type { Storage, Stores } from '../../storage/stores/index.ts';
import { sameSecret } from '../secrets.ts';
import type { InvitationMail } from './invitation-text.ts';

/** Links by which owners of addresses refuse invitations: each names a mailbox, and shows it to nobody. */
export interface RefusalLinks {
  /** The link for a mail; undefined where nobody knows how this server is reached. */
  linkFor(mail: Pick<InvitationMail, 'address' | 'brand'>): Promise<string | undefined>;
  /** The mailbox of a folded address, as it is called here. */
  hashOf(address: string): Promise<string>;
  /** The mailbox that the token of a link names; undefined where it is none of ours. */
  hashIn(token: string): Promise<string | undefined>;
}

export interface RefusalLinksDependencies {
  readonly storage: Pick<Storage, 'stores' | 'logTransaction'>;
  readonly random: Random;
  /** The URL that links lead to; undefined where nobody knows how this server is reached. */
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
const nameOf = (key: string, address: string) => hmac(key, `mailbox ${plainMailbox(address)}`);

/** Names the mailbox, and proves that the link is from here. */
const tokenOf = (key: string, hash: string) => `${hash}${hmac(key, `link ${hash}`)}`;

type RefusalStores = Pick<Stores, 'state' | 'invitationRefusals'>;

/** The mailbox of an address as it is called here; undefined as long as no link was ever mailed. */
async function knownHash({ state }: RefusalStores, address: string): Promise<string | undefined> {
  const key = await state.get(KEY);
  return key === undefined ? undefined : nameOf(key, address);
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

export function createRefusalLinks(deps: RefusalLinksDependencies): RefusalLinks {
  const { storage, random, url } = deps;
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

  return {
    async linkFor({ address, brand }) {
      if (url === undefined) return undefined;
      const current = await key();
      const token = tokenOf(current, nameOf(current, address));
      return `${url}?${new URLSearchParams({ token, ...(brand !== undefined && { brand }) })}`;
    },

    hashOf: async (address) => nameOf(await key(), address),

    async hashIn(token) {
      const current = await knownKey();
      const hash = token.slice(0, HASH_LENGTH);
      return current !== undefined && sameSecret(token, tokenOf(current, hash)) ? hash : undefined;
    },
  };
}
