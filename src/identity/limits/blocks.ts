import { IdentityError, reason } from '../../model/errors.ts';
import type { Clock } from '../../platform/clock.ts';
import { createNetworkList, isAddress } from '../../platform/ip-addresses.ts';
import type { Storage, Stores } from '../../storage/stores/index.ts';
import type { Caller } from './charges.ts';
import { homeserverName } from './homeserver-accounts.ts';

/** Whom an operator keeps out for a while. */
export interface Block {
  readonly id: number;
  /** `name`: a network as the log names it this week. */
  readonly kind: 'network' | 'name' | 'account' | 'homeserver';
  /** An address or CIDR, a user id, or a server name in lower case. */
  readonly what: string;
  /** Milliseconds. */
  readonly since: number;
  readonly until: number;
}

export type NewBlock = Pick<Block, 'kind' | 'what' | 'until'>;

const BLOCKS = 'blocks';
/** So many at a time. */
export const MOST_BLOCKS = 200;

type BlockStorage = Pick<Storage, 'stores' | 'logTransaction'>;

const read = async ({ state }: Pick<Stores, 'state'>): Promise<readonly Block[]> =>
  JSON.parse((await state.get(BLOCKS)) ?? '[]');

/** Those that have not ended. */
export const blocksAt = async (stores: Pick<Stores, 'state'>, now: number): Promise<Block[]> =>
  (await read(stores)).filter(({ until }) => until > now);

/** Keeps somebody out, in the place of what was said of them before; undefined where there are as many as may be. */
export const addBlock = (
  storage: BlockStorage,
  { kind, what, until }: NewBlock,
  now: number,
): Promise<Block | undefined> =>
  storage.logTransaction(async (stores) => {
    const all = await read(stores);
    // By the time, and not by those that are there: an id that was given to another once lifts the wrong one.
    const id = Math.max(now, ...all.map((one) => one.id + 1));
    const others = all.filter(
      (one) => one.until > now && !(one.kind === kind && one.what === what),
    );
    if (others.length >= MOST_BLOCKS) return undefined;
    const block = { id, kind, what, since: now, until };
    await stores.state.set(BLOCKS, JSON.stringify([...others, block]));
    return block;
  });

/** Lets somebody in again; false where there was no such block. */
export const liftBlock = (storage: BlockStorage, id: number): Promise<boolean> =>
  storage.logTransaction(async (stores) => {
    const all = await read(stores);
    const others = all.filter((one) => one.id !== id);
    if (others.length === all.length) return false;
    await stores.state.set(BLOCKS, JSON.stringify(others));
    return true;
  });

/** Forgets those that have ended: they name somebody. */
export async function forgetEndedBlocks(storage: BlockStorage, now: number): Promise<void> {
  if ((await read(storage.stores)).every(({ until }) => until > now)) return;
  await storage.logTransaction(async (stores) =>
    stores.state.set(BLOCKS, JSON.stringify(await blocksAt(stores, now))),
  );
}

/** Keeps out whom operators want kept out, as all processes on a database see it a few seconds later. */
export interface Blocks {
  /**
   * @param user where the caller has no account, and says who it is
   * @throws IdentityError `limit-exceeded`, with `retry_after_ms`
   */
  admit(caller: Caller, user?: string): void;
  /** Sees what operators have changed. */
  refresh(): Promise<void>;
}

export interface BlocksDependencies {
  readonly storage: Pick<Storage, 'stores'>;
  readonly clock: Clock;
  /** What the log calls a client network. */
  readonly networkName: (network: string) => string | undefined;
  /** Called for each request that is refused. */
  readonly onRefused: () => void;
}

type Meets = (networks: readonly string[], user: string | undefined) => boolean;

/** Whether a block is meant for who comes from these networks, as that user. */
function meeting({ kind, what }: Block, networkName: BlocksDependencies['networkName']): Meets {
  switch (kind) {
    case 'account':
      return (_networks, user) => user === what;
    case 'homeserver':
      return (_networks, user) => user !== undefined && homeserverName(user) === what;
    case 'name':
      return (networks) => networks.some((network) => networkName(network) === what);
    case 'network': {
      const list = createNetworkList([what]);
      const length = Number(what.split('/')[1] ?? 0);
      // The larger networks of an IPv6 address are not meant by a block of one in them.
      return (networks) =>
        networks.some((network) => {
          const [address = '', own] = network.split('/');
          return isAddress(address) && Number(own ?? 128) >= length && list.contains(address);
        });
    }
  }
}

export function createBlocks(deps: BlocksDependencies): Blocks {
  const { storage, clock, networkName } = deps;
  let text = '[]';
  let known: readonly { readonly until: number; readonly meets: Meets }[] = [];

  return {
    admit({ networks, user: account }, claimed) {
      if (known.length === 0) return;
      const names = networks.map(({ name }) => name);
      const now = clock.now();
      const until = Math.max(
        0,
        ...known
          .filter((block) => block.until > now && block.meets(names, account ?? claimed))
          .map((block) => block.until),
      );
      if (until === 0) return;
      deps.onRefused();
      const wait = until - now;
      throw new IdentityError(
        'limit-exceeded',
        `The operator of this server lets you do nothing here for now; try again in ${Math.ceil(wait / 1000)} s`,
        { details: { retry_after_ms: wait, ...reason('block') } },
      );
    },
    async refresh() {
      const next = (await storage.stores.state.get(BLOCKS)) ?? '[]';
      if (next === text) return;
      known = (JSON.parse(next) as Block[]).map((block) => ({
        until: block.until,
        meets: meeting(block, networkName),
      }));
      text = next;
    },
  };
}
