import type { Clock } from '../../platform/clock.ts';
import type { Lease, Leases } from '../../platform/leases.ts';
import type { Storage } from '../../storage/stores/index.ts';

/** Which sessions this process sends for. A claim is short and renewed, so that a killed process holds nobody up. */
export interface SessionClaims {
  /** A claim on one session, for a request. */
  make(): Lease;
  /** Whether a claim until then still holds. */
  holds(until: number | undefined): boolean;
  /** Renews the claim until what it returns is called; that does not give it back. */
  keep(sid: number, holder: string): () => void;
  /** Gives back the claims of requests that are still under way, as the process stops. */
  releaseAll(): Promise<void>;
}

/** Milliseconds: so long a process that died holds others up, and how often one that lives renews. */
const LEASE = 8000;
const RENEWAL = 2500;
/** No claim is made for longer, by an earlier version either: one beyond it is by a clock that has stepped back. */
const LONGEST = 3 * 60 * 1000;

export function createSessionClaims({
  storage,
  clock,
  leases,
}: {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly leases: Leases;
}): SessionClaims {
  const { sessions } = storage.stores;
  const kept = new Map<string, number>();

  return {
    make: () => leases.leaseOfOne(LEASE),
    holds(until = 0) {
      const left = until - clock.now();
      return left > 0 && left <= LONGEST;
    },
    keep(sid, holder) {
      kept.set(holder, sid);
      const timer = setInterval(() => {
        // One that cannot be renewed lapses.
        sessions.renewSend(sid, holder, clock.now() + LEASE).catch(() => {});
      }, RENEWAL);
      timer.unref();
      return () => {
        clearInterval(timer);
        kept.delete(holder);
      };
    },
    async releaseAll() {
      for (const [holder, sid] of kept) await sessions.releaseSend(sid, holder);
    },
  };
}
