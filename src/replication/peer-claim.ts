import type { Clock } from '../platform/clock.ts';
import type { Leases } from '../platform/leases.ts';
import { repeat } from '../platform/repeat.ts';
import type { Storage } from '../storage/stores/index.ts';

/** That this process, and no other, pushes to a peer. */
export interface PeerClaim {
  /** Whether it holds for long enough to begin with a push. */
  readonly isHeld: boolean;
  /** False while another process has it. */
  take(): Promise<boolean>;
  /** Renews it while the work lasts. */
  during<T>(work: () => Promise<T>): Promise<T>;
  release(): Promise<void>;
}

/** A killed process's claim lapses after that. One that lives renews it; a push that is made twice does no harm. */
const CLAIM = 8000;
const RENEWAL = CLAIM / 4;

export function createPeerClaim(
  name: string,
  {
    storage,
    clock,
    leases,
  }: { readonly storage: Storage; readonly clock: Clock; readonly leases: Leases },
): PeerClaim {
  const { peers } = storage.stores;
  let until = 0;

  async function take(): Promise<boolean> {
    const lease = leases.lease(CLAIM);
    if (!(await peers.claim(name, lease))) return false;
    until = lease.until;
    return true;
  }

  async function renew(): Promise<void> {
    // What cannot be renewed lapses.
    if (clock.now() >= until - CLAIM + RENEWAL / 2) await take().catch(() => false);
  }

  return {
    get isHeld() {
      return clock.now() < until - CLAIM / 2;
    },
    take,
    async during(work) {
      const renewing = repeat(RENEWAL, renew);
      try {
        return await work();
      } finally {
        await renewing.stop();
      }
    },
    async release() {
      if (until === 0) return;
      until = 0;
      // It lapses by itself, too.
      await peers.release(name, leases.holder).catch(() => {});
    },
  };
}
