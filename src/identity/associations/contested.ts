import type { LoggedAssociation, Stores } from '../../storage/stores/index.ts';

/**
 * The state that says how many email addresses are bound by this server in several spellings to different
 * users, as old Sydents let it come about. It is counted when the database is taken over, and kept true
 * from then on; without it, it is to be counted.
 */
export const CONTESTED = 'contested_addresses';

/** The count and, as long as it is being counted, up to which entry of the log it goes. */
export const parseContested = (state: string | undefined): [count: number, upTo?: number] =>
  JSON.parse(state ?? '[0,0]');

/** Whether these entries of the log, all of one address, name different users. */
export function isContested(entries: readonly LoggedAssociation[]): boolean {
  const users = entries.map(({ mxid }) => mxid).filter((mxid) => mxid !== undefined);
  return new Set(users).size > 1;
}

/** To be told, under the log's lock, which entries of an address one new one has replaced. */
export async function noteReplaced(
  { state }: Stores,
  replaced: readonly LoggedAssociation[],
): Promise<void> {
  if (!isContested(replaced)) return;
  const [count, ...unfinished] = parseContested(await state.get(CONTESTED));
  if (count > 0) await state.set(CONTESTED, JSON.stringify([count - 1, ...unfinished]));
}
