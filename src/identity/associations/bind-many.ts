import type { ThreePid } from '../../model/addresses.ts';
import { newestOf } from '../../model/precedence.ts';
import { isSameServer } from '../../model/server-name.ts';
import { type Clock, stopwatch } from '../../platform/clock.ts';
import type { Storage } from '../../storage/stores/index.ts';
import type { Associations } from './associations.ts';

/** Whom an address is to be bound to. */
export interface WantedBinding {
  readonly threepid: ThreePid;
  readonly mxid: string;
}

/** How many were bound that nobody had, bound in place of another user's, and left as they were. */
export interface BoundMany {
  bound: number;
  replaced: number;
  unchanged: number;
}

export interface BindManyDependencies {
  readonly storage: Pick<Storage, 'stores'>;
  readonly associations: Pick<Associations, 'bind'>;
  readonly clock: Clock;
  /** Whose bindings are this server's own. */
  readonly serverName: string;
}

/** Bound at once: they share transactions. */
const AT_ONCE = 64;
/** Milliseconds between two of these: as long as the last took, so that others who write have their time. */
const PAUSE = { shortest: 2, longest: 100 };

const pause = (milliseconds: number) =>
  new Promise<void>((resolve) => {
    setTimeout(resolve, milliseconds);
  });

/** Whom the address is bound to now, and by whom. */
export async function bindingInForce(
  storage: Pick<Storage, 'stores'>,
  { medium, address }: { readonly medium: string; readonly address: string },
  now: number,
) {
  const rows = await storage.stores.overview.associationsAt(medium, address);
  return newestOf(rows.filter(({ notBefore, notAfter }) => notBefore <= now && notAfter > now));
}

/**
 * Binds addresses, many with one commit. What is bound as it should be is left alone: broken off, it may be begun anew.
 * @param bindings in portions; of an address that comes twice the later one counts
 * @param isDry only looks what would become of them
 */
export async function bindMany(
  bindings: AsyncIterable<WantedBinding>,
  deps: BindManyDependencies,
  isDry: boolean,
): Promise<BoundMany> {
  const { storage, associations, clock, serverName } = deps;
  const done: BoundMany = { bound: 0, replaced: 0, unchanged: 0 };
  let waiting = new Map<string, WantedBinding>();

  async function bind({ threepid, mxid }: WantedBinding): Promise<boolean> {
    const known = await bindingInForce(storage, threepid, clock.now());
    if (known?.mxid === mxid && isSameServer(known.originServer, serverName)) {
      done.unchanged++;
      return false;
    }
    if (known === undefined || known.mxid === mxid) done.bound++;
    else done.replaced++;
    if (!isDry) await associations.bind(threepid, mxid);
    return !isDry;
  }

  async function flush(): Promise<void> {
    const elapsed = stopwatch();
    const wrote = await Promise.all([...waiting.values()].map(bind));
    waiting = new Map();
    if (!wrote.includes(true)) return;
    await pause(Math.min(Math.max(PAUSE.shortest, elapsed()), PAUSE.longest));
  }

  for await (const binding of bindings) {
    const { medium, address } = binding.threepid;
    const name = `${medium} ${address}`;
    if (waiting.has(name)) await flush();
    waiting.set(name, binding);
    if (waiting.size === AT_ONCE) await flush();
  }
  await flush();
  return done;
}
