import type { Lease } from '../../platform/leases.ts';
import type { StateStore } from '../../storage/stores/index.ts';

/** What is kept of the work on a rotation: whose it is, and how far. */
export interface RotationWork {
  /** Which pepper's hashes are made. */
  readonly number: number;
  readonly holder: string;
  /** When the claim lapses. */
  readonly until: number;
  /** All associations up to this id are done, and about so many per cent. */
  readonly done: number;
  readonly percent: number;
  readonly isDone: boolean;
}

const WORK = 'pepper_rotation';

/** Of a rotation that nobody has begun to work on there is none. */
export async function workOn(state: StateStore, number: number): Promise<RotationWork | undefined> {
  const text = await state.get(WORK);
  const work: RotationWork | undefined = text === undefined ? undefined : JSON.parse(text);
  return work?.number === number ? work : undefined;
}

/** Whether another process is at it. */
export const isClaimed = (work: RotationWork | undefined, { holder, now }: Lease): boolean =>
  work !== undefined && work.holder !== holder && work.until > now;

export const setWork = (state: StateStore, work: RotationWork): Promise<void> =>
  state.set(WORK, JSON.stringify(work));

export const forgetWork = (state: StateStore): Promise<void> => state.delete(WORK);
