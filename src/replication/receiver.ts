import type { Logger } from 'pino';
import { lookupKeys } from '../identity/associations/lookup-keys.ts';
import { toAssociation } from '../identity/associations/signed-association.ts';
import { saidBeforeErasure } from '../identity/erasure/erased-names.ts';
import { lookupHash } from '../model/lookup-hash.ts';
import { aheadOf } from '../model/precedence.ts';
import type { Clock } from '../platform/clock.ts';
import type { ReplicationMetrics } from '../platform/replication-metrics.ts';
import { yieldToEventLoop } from '../platform/yield-to-event-loop.ts';
import type { Verifier } from '../signing/ed25519.ts';
import { isObject } from '../signing/json.ts';
import { fittingSignatures } from '../signing/signed-json.ts';
import type {
  GlobalAssociation,
  KeyedAssociation,
  OpenTransaction,
  Peer,
  ReplicatedDeletion,
  Storage,
} from '../storage/stores/index.ts';
import { verifiersOf } from './peers.ts';
import { LEFT_OUT, type LeftOutReason, parseAssociation } from './received-association.ts';
import { noteReceived, type ReceivedRule } from './received-tally.ts';

/** An association as a peer sent it, by its id there. */
export interface PushedAssociation {
  readonly id: number;
  readonly signed: unknown;
}

/** Takes in what peers push. */
export interface Receiver {
  /**
   * Stores them, durably, or, when the signature of any is not the peer's, none; the ids of those. What is
   * signed well and is not an association of today is left out: a peer would send it for ever otherwise.
   */
  receive(peer: Peer, pushed: readonly PushedAssociation[]): Promise<number[]>;
}

export interface ReceiverDependencies {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: ReplicationMetrics;
  /** Runs in the transaction that stores new associations, for what must follow from them. */
  readonly bound?: (
    stores: OpenTransaction,
    associations: readonly GlobalAssociation[],
  ) => Promise<void>;
  /** The same for deletions; runs before it. */
  readonly unbound?: (
    stores: OpenTransaction,
    deletions: readonly ReplicatedDeletion[],
  ) => Promise<void>;
}

/** Checked at the same time: half a millisecond of work here, more of it in other threads. */
const CHECKED_AT_ONCE = 16;

type Received =
  | { readonly kind: 'bind'; readonly association: KeyedAssociation }
  | { readonly kind: 'unbind'; readonly deletion: ReplicatedDeletion };

interface LeftOut {
  readonly kind: LeftOutReason;
  readonly id: number;
}

/** How many there are of each kind. */
function countsOf(leftOut: readonly LeftOut[]): Partial<Record<LeftOutReason, number>> {
  const counts: Partial<Record<LeftOutReason, number>> = {};
  for (const { kind } of leftOut) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** So many ids of what was left out are in the log, once a push. */
const MAX_LOGGED = 20;

const deletionsAmong = (received: readonly Received[]) =>
  received.filter(({ kind }) => kind === 'unbind').length;

const saidIn = (entry: Received) => (entry.kind === 'bind' ? entry.association : entry.deletion);

/**
 * Bindings before deletions, unless a push has both for one address: only there their order matters, and
 * few long runs are stored many times faster than many short ones.
 */
function inFewRuns(received: readonly Received[]): readonly Received[] {
  const nameOf = (entry: Received) => {
    const { medium, address } = saidIn(entry);
    return `${medium} ${address}`;
  };
  const { bind = [], unbind = [] } = Object.groupBy(received, ({ kind }) => kind);
  const bound = new Set(bind.map(nameOf));
  return unbind.some((entry) => bound.has(nameOf(entry))) ? received : [...bind, ...unbind];
}

export function createReceiver(deps: ReceiverDependencies): Receiver {
  const {
    storage,
    clock,
    logger,
    metrics,
    bound = async () => {},
    unbound = async () => {},
  } = deps;
  let busy: Promise<unknown> = Promise.resolve();

  /** Undefined when it is not signed by the peer. */
  async function read(
    peer: Peer,
    verifiers: readonly Verifier[],
    { id, signed }: PushedAssociation,
  ): Promise<Received | LeftOut | undefined> {
    const signatures = isObject(signed)
      ? await fittingSignatures(signed, peer.name, verifiers)
      : undefined;
    if (signatures === undefined) return undefined;
    const parsed = parseAssociation(Object(signed), clock.now());
    if (typeof parsed === 'string') return { kind: parsed, id };
    const { medium, address, typed, ts, mxid, notBefore, notAfter, isWhole } = parsed;
    if (mxid === undefined)
      return { kind: 'unbind', deletion: { medium, address, ts, originId: id } };
    const keys = lookupKeys(parsed, storage.pepper);
    const association = toAssociation({ ...parsed, address: typed, mxid });
    // Built anew: whatever else stood there is nobody's word.
    const signedJson = JSON.stringify({ ...association, signatures: isWhole ? signatures : {} });
    return {
      kind: 'bind',
      association: {
        medium,
        address,
        mxid,
        ts,
        notBefore,
        notAfter,
        signedJson,
        keys,
        originServer: peer.name,
        originId: id,
        lookupHash: lookupHash(address, medium, storage.pepper),
      },
    };
  }

  /**
   * Runs of bindings and of deletions one after the other, so that what came later has its way.
   * @returns those that were not erased here after they had been said, which alone are stored
   */
  async function store(
    peer: Peer,
    all: readonly Received[],
    counts: Readonly<Partial<Record<ReceivedRule, number>>>,
  ): Promise<readonly Received[]> {
    return storage.logTransaction(async (stores) => {
      const erased: ReadonlySet<unknown> = await saidBeforeErasure(stores, all.map(saidIn));
      const taken = all.filter((entry) => !erased.has(saidIn(entry)));
      const received = inFewRuns(taken);
      const now = clock.now();
      // The first that is not taken.
      const ahead = aheadOf(now) + 1;
      const stored: GlobalAssociation[] = [];
      const deleted: ReplicatedDeletion[] = [];
      for (let from = 0; from < received.length; ) {
        const kind = received[from]?.kind;
        const next = received.findIndex((entry, index) => index > from && entry.kind !== kind);
        const run = received.slice(from, next < 0 ? received.length : next);
        const bindings = run.flatMap((e) => (e.kind === 'bind' ? [e.association] : []));
        const deletions = run.flatMap((e) => (e.kind === 'unbind' ? [e.deletion] : []));
        if (bindings.length > 0) {
          stored.push(...(await stores.replicated.insert(peer.name, bindings, ahead)));
        }
        if (deletions.length > 0) {
          await stores.replicated.delete(peer.name, deletions, { now, ahead });
          deleted.push(...deletions);
        }
        from += run.length;
      }
      if (deleted.length > 0) await unbound(stores, deleted);
      if (stored.length > 0) await bound(stores, stored);
      const deletions = deletionsAmong(taken);
      const stands = { bound: taken.length - deletions, deleted: deletions, erased: erased.size };
      await noteReceived(stores.state, peer.name, { ...counts, ...stands }, now);
      return taken;
    });
  }

  function noteLeftOut(peer: Peer, leftOut: readonly LeftOut[]): void {
    if (leftOut.length === 0) return;
    const reasons = countsOf(leftOut);
    for (const kind of LEFT_OUT) metrics.leftOut(peer.name, kind, reasons[kind] ?? 0);
    logger.warn(
      {
        peer: peer.name,
        count: leftOut.length,
        reasons,
        ids: leftOut.slice(0, MAX_LOGGED).map(({ id }) => id),
      },
      'Left out what a peer sent that is not an association, is dated more than a day ahead, or was erased here',
    );
  }

  async function receive(peer: Peer, pushed: readonly PushedAssociation[]): Promise<number[]> {
    const verifiers = verifiersOf(peer);
    const refused: number[] = [];
    const received: Received[] = [];
    const leftOut: LeftOut[] = [];
    const ordered = pushed.toSorted((a, b) => a.id - b.id);
    for (let from = 0; from < ordered.length; from += CHECKED_AT_ONCE) {
      const portion = ordered.slice(from, from + CHECKED_AT_ONCE);
      const entries = await Promise.all(portion.map((entry) => read(peer, verifiers, entry)));
      for (const [index, { id }] of portion.entries()) {
        const entry = entries[index];
        if (entry === undefined) refused.push(id);
        else if ('id' in entry) leftOut.push(entry);
        else received.push(entry);
      }
      await yieldToEventLoop();
    }
    if (refused.length > 0) {
      await store(peer, [], { signature: refused.length });
      return refused;
    }
    const taken = new Set(await store(peer, received, countsOf(leftOut)));
    for (const entry of received) {
      if (!taken.has(entry)) leftOut.push({ kind: 'erased', id: saidIn(entry).originId });
    }
    const deletions = deletionsAmong([...taken]);
    metrics.received(peer.name, taken.size - deletions, deletions);
    noteLeftOut(peer, leftOut);
    return [];
  }

  return {
    receive(peer, pushed) {
      // One after the other: each takes the processor and the database for itself.
      const result = busy.then(() => receive(peer, pushed));
      busy = result.catch(() => {});
      return result;
    },
  };
}
