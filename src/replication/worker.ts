import type { Logger } from 'pino';
import type { ServerKeys } from '../identity/server-keys.ts';
import { backoff } from '../platform/backoff.ts';
import type { Clock } from '../platform/clock.ts';
import type { Leases } from '../platform/leases.ts';
import type { Random } from '../platform/random.ts';
import type { ReplicationMetrics } from '../platform/replication-metrics.ts';
import type { Tracing } from '../platform/tracing/tracing.ts';
import { logFailure } from '../platform/unavailable.ts';
import { yieldToEventLoop } from '../platform/yield-to-event-loop.ts';
import type { Peer, Storage, StoredLocalAssociation } from '../storage/stores/index.ts';
import type { Batch } from './batch.ts';
import { createKeyOnFile } from './key-on-file.ts';
import { createPeerClaim } from './peer-claim.ts';
import type { PeerClient, PushAnswer } from './peer-client.ts';
import { pushUrl, takesPart } from './peers.ts';
import { passRefused } from './refusals.ts';

export interface WorkerDependencies {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: ReplicationMetrics;
  readonly tracing?: Tracing | undefined;
  readonly client: PeerClient;
  readonly leases: Leases;
  /** The peer's URL in the configuration. */
  readonly configuredUrl: string | undefined;
  /** Milliseconds after which a refused association is given up; undefined: never. */
  readonly skipAfter: number | undefined;
}

/** Pushes the log to one peer. */
export interface Worker {
  /** There may be something to push. */
  wake(): void;
  /** Something about the peer has changed: no use waiting after a failure any longer. */
  retry(): void;
  /** Gives up a push under way; the peer ignores what it gets twice. */
  stop(): Promise<void>;
}

/** Associations in a push: as many as Sydent sends, which every peer takes. */
const SAFE_SIZE = 100;
const LARGEST_SIZE = 1000;
/** Milliseconds for which a peer that refused larger pushes gets none. */
const SIZE_MEMORY = 60 * 60 * 1000;
/** Log entries read at once. */
const READ_AT_ONCE = 50;

const PAUSE_AFTER_ERROR = 1000;
const LONGEST_PAUSE = 2 * 60 * 1000;
/** While another process pushes to the peer. */
const CLAIMED_PAUSE = 250;

/** What a round ended with: nothing left to do, a pause before the next, or another round at once. */
type Outcome = 'idle' | 'again' | { readonly pause: number };

const lastOf = (entries: readonly StoredLocalAssociation[]) => entries.at(-1)?.id ?? 0;

export function startWorker(name: string, deps: WorkerDependencies): Worker {
  const { storage, clock, random, logger, metrics, client, tracing } = deps;
  const { peers } = storage.stores;
  const stopping = new AbortController();
  let size = SAFE_SIZE;
  /** The most that the peer takes, as far as was learnt lately. */
  let largest = { size: LARGEST_SIZE, until: 0 };
  const keyOnFile = createKeyOnFile(name, deps);
  const ownClaim = createPeerClaim(name, deps);
  let failures = 0;
  let woken = false;
  let isIdle = false;
  /** A batch made while the one before it was on its way. */
  let ahead: { readonly after: number; readonly batch: Batch } | undefined;
  let endWait = () => {};

  function wait(pause: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      if (stopping.signal.aborted) return resolve();
      const timer = pause === undefined ? undefined : setTimeout(resolve, pause);
      endWait = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** Reads what is to be sent next, in steps that leave the database to others in between. */
  async function readLog(after: number, count: number): Promise<StoredLocalAssociation[]> {
    const entries: StoredLocalAssociation[] = [];
    while (entries.length < count) {
      const wanted = Math.min(READ_AT_ONCE, count - entries.length);
      const read = await storage.stores.associations.logAfter(entries.at(-1)?.id ?? after, wanted);
      entries.push(...read);
      if (read.length < wanted) break;
      await yieldToEventLoop();
    }
    return entries;
  }

  async function fail(reason: string): Promise<Outcome> {
    failures++;
    const pause = backoff(failures, { random, longest: LONGEST_PAUSE });
    logger.warn({ peer: name, reason, retryIn: pause }, 'A peer did not take a push');
    await peers.noteFailure(name, reason, clock.now());
    return { pause };
  }

  /** Smaller pushes from now on. */
  function shrink(sent: number): void {
    size = sent > SAFE_SIZE ? SAFE_SIZE : Math.max(1, Math.floor(sent / 2));
    largest = { size, until: clock.monotonic() + SIZE_MEMORY };
    logger.info({ peer: name, size }, 'A peer takes smaller pushes only');
  }

  function grownSize(): number {
    const most = clock.monotonic() < largest.until ? largest.size : LARGEST_SIZE;
    return Math.min(size * 2, most);
  }

  const advance = (peer: Peer, to: number) =>
    storage.transaction((stores) => stores.peers.advance(name, peer.lastSent, to, clock.now()));

  /** Goes on after a refusal as far as the peer does. */
  async function afterRefusal(
    peer: Peer,
    url: string,
    entries: readonly StoredLocalAssociation[],
    refused: readonly number[],
  ): Promise<Outcome> {
    const now = clock.now();
    metrics.push(name, 'refused');
    metrics.refused(name, refused.length);
    logger.warn({ peer: name, ids: refused.slice(0, 100) }, 'A peer refuses associations');
    await peers.noteRefused(name, refused, now);
    size = Math.min(size, SAFE_SIZE);
    const overdue = deps.skipAfter === undefined ? -1 : now - deps.skipAfter;
    const { send, skipped, upTo } = passRefused(
      entries,
      new Set(refused),
      await peers.refused(name),
      overdue,
    );
    if (upTo === undefined) return fail(`it refuses association ${refused[0]}`);
    if (send.length > 0) {
      const { body, entries: fitting } = await keyOnFile.sign(send);
      const answer = await client.push(url, body, stopping.signal);
      metrics.push(name, answer.kind === 'accepted' ? 'accepted' : 'failed');
      if (answer.kind !== 'accepted') return fail('it refuses what it seemed to take');
      metrics.sent(name, fitting.length);
      if (fitting.length < send.length) {
        await advance(peer, lastOf(fitting));
        return 'again';
      }
    }
    if (skipped.length > 0) {
      metrics.skipped(name, skipped.length);
      logger.error({ peer: name, ids: skipped }, 'Gave up associations that a peer refuses');
    }
    failures = 0;
    await advance(peer, upTo);
    return 'again';
  }

  async function conclude(
    peer: Peer,
    url: string,
    entries: readonly StoredLocalAssociation[],
    answer: PushAnswer,
  ): Promise<Outcome> {
    const count = entries.length;
    if (answer.kind === 'accepted') {
      metrics.push(name, 'accepted');
      metrics.sent(name, count);
      failures = 0;
      await advance(peer, lastOf(entries));
      if (count === size) size = grownSize();
      return 'again';
    }
    if (answer.kind === 'refused') {
      const refused = entries.map(({ id }) => id).filter((id) => answer.ids.includes(id));
      if (refused.length > 0) return afterRefusal(peer, url, entries, refused);
      metrics.push(name, 'failed');
      return fail('it refuses associations without naming them');
    }
    const isTooLarge =
      (answer.kind === 'too-large' && count > 1) ||
      (answer.kind === 'dropped' && count > SAFE_SIZE);
    metrics.push(name, answer.kind === 'too-large' ? 'too-large' : 'failed');
    if (!isTooLarge) return fail(answer.reason);
    shrink(count);
    return 'again';
  }

  /** Makes this process the one that pushes to the peer, if there is something to push. */
  async function claim(peer: Peer): Promise<Outcome | 'claimed'> {
    if (ownClaim.isHeld) return 'claimed';
    const [next] = await storage.stores.associations.logAfter(peer.lastSent ?? 0, 1);
    if (next === undefined) {
      metrics.backlog(name, 0);
      return 'idle';
    }
    if (!(await ownClaim.take())) return { pause: CLAIMED_PAUSE };
    // Another process may have pushed between the look at the peer and the claim.
    const [claimed] = await peers.list([name]);
    return claimed?.lastSent === peer.lastSent ? 'claimed' : 'again';
  }

  const prepare = async (after: number, count: number) =>
    keyOnFile.sign(await readLog(after, count));

  /** One push, if there is something to push. */
  async function round(): Promise<Outcome> {
    const [peer] = await peers.list([name]);
    if (peer === undefined || !takesPart(peer)) return 'idle';
    const claimed = await claim(peer);
    if (claimed !== 'claimed') return claimed;
    const about = { name: 'push to a peer', attributes: { 'cognomen.peer': name } };
    return ownClaim.during(() => tracing?.root(about, () => push(peer)) ?? push(peer));
  }

  async function push(peer: Peer): Promise<Outcome> {
    const after = peer.lastSent ?? 0;
    const batch = ahead?.after === after ? ahead.batch : await prepare(after, size);
    ahead = undefined;
    const { entries } = batch;
    if (entries.length === 0) {
      metrics.backlog(name, 0);
      return 'idle';
    }
    const url = pushUrl(peer, deps.configuredUrl);
    const pushing = keyOnFile.push(batch, (body) => client.push(url, body, stopping.signal));
    // While the peer checks these, those behind them are signed; what goes wrong with that, shows later.
    const next =
      entries.length === size
        ? await prepare(lastOf(entries), grownSize()).catch(() => undefined)
        : undefined;
    const { answer, entries: pushed } = await pushing;
    if (stopping.signal.aborted) return 'idle';
    if (answer.kind === 'accepted' && next !== undefined && next.entries.length > 0) {
      ahead = { after: lastOf(entries), batch: next };
    }
    return conclude(peer, url, pushed, answer);
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      woken = false;
      const outcome = await round().catch((error: unknown): Outcome => {
        logFailure(logger, error, 'Pushing to a peer went wrong', { peer: name });
        failures++;
        return { pause: PAUSE_AFTER_ERROR };
      });
      if (outcome === 'again' || stopping.signal.aborted) continue;
      await ownClaim.release();
      // Woken meanwhile: what came is not in what was read.
      if (outcome === 'idle' && woken) continue;
      isIdle = outcome === 'idle';
      await wait(outcome === 'idle' ? undefined : outcome.pause);
      isIdle = false;
    }
    await ownClaim.release();
  }

  const running = run();
  return {
    wake() {
      woken = true;
      // A pause after a failure is not cut short by every bind.
      if (isIdle) endWait();
    },
    retry: () => endWait(),
    async stop() {
      stopping.abort();
      endWait();
      await running;
    },
  };
}
