import { createHmac } from 'node:crypto';
import type { Random } from '../../platform/random.ts';
import type { Person, Storage, Stores } from '../../storage/stores/index.ts';

/** The state that holds the key of the hashes by which the erased are known; there is none before the first. */
const KEY = 'erasure_key';
const KEY_BYTES = 32;

/** What a person is called where nobody may read who it was. */
export type NameOfErased = (person: Person) => string;

const hashWith =
  (key: string): NameOfErased =>
  (person) =>
    createHmac('sha256', key)
      .update(person.kind === 'user' ? person.mxid : `${person.medium} ${person.address}`)
      .digest('base64url');

/** Undefined as long as nobody was erased. */
async function nameOfErased({ state }: Stores): Promise<NameOfErased | undefined> {
  const key = await state.get(KEY);
  return key === undefined ? undefined : hashWith(key);
}

/** What the trail of operators calls somebody of that name. */
const trailName = (hash: string): string => `erased:${hash.slice(0, 22)}`;

/** What the trail of operators is to call them from now on: the same whenever they are erased. */
export const nameForTrail = async (
  storage: Pick<Storage, 'logTransaction'>,
  random: Random,
  person: Person,
): Promise<string> => {
  const nameOf = await storage.logTransaction((stores) => nameForErasing(stores, random));
  return trailName(nameOf(person));
};

/** What the trail calls them, where they were erased; else undefined. */
export async function nameInTrail(stores: Stores, person: Person): Promise<string | undefined> {
  const nameOf = await nameOfErased(stores);
  if (nameOf === undefined) return undefined;
  const hash = nameOf(person);
  return (await stores.erasures.erasedAt([hash])).has(hash) ? trailName(hash) : undefined;
}

/** To be called under the log's lock: of two who erase at once, one makes the key. */
export async function nameForErasing(stores: Stores, random: Random): Promise<NameOfErased> {
  const known = await nameOfErased(stores);
  if (known !== undefined) return known;
  const key = random.bytes(KEY_BYTES).toString('base64');
  await stores.state.set(KEY, key);
  return hashWith(key);
}

/** Something said of an address; of nobody where it was deleted. */
interface Said {
  readonly medium: string;
  readonly address: string;
  readonly mxid?: string;
  readonly ts: number;
}

/** Those of them that were said before the address, or the user, was erased here. To be called under the log's lock. */
export async function saidBeforeErasure<T extends Said>(
  stores: Stores,
  all: readonly T[],
): Promise<Set<T>> {
  const nameOf = await nameOfErased(stores);
  if (nameOf === undefined) return new Set();
  const namesOf = new Map(
    all.map((said) => {
      const names = [nameOf({ kind: 'address', ...said })];
      if (said.mxid !== undefined) names.push(nameOf({ kind: 'user', mxid: said.mxid }));
      return [said, names];
    }),
  );
  const erasedAt = await stores.erasures.erasedAt([...new Set([...namesOf.values()].flat())]);
  const isErased = (said: T) =>
    namesOf.get(said)?.some((name) => said.ts <= (erasedAt.get(name) ?? Number.NEGATIVE_INFINITY));
  return new Set(all.filter(isErased));
}
