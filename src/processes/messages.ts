import type { Source } from '../config/load.ts';
import type { Secrets } from '../config/sources.ts';
import type { BucketAnswer, BucketAsk } from '../platform/bucket-store.ts';
import type { MetricsSnapshot } from '../platform/metrics.ts';
import type { HeldFile } from '../storage/others.ts';

/** What the supervisor tells a worker. */
export type Order =
  | Start
  /** Do from now on what one worker does for all. */
  | { readonly kind: 'lead' }
  /** Open the log anew, and read again what stands in files of its own. */
  | { readonly kind: 'renew'; readonly keys: Pick<Start, 'keySources' | 'keySecrets'> | undefined }
  | { readonly kind: 'announce-stop' }
  | { readonly kind: 'stop' }
  /** Stop, as another one has taken your place: no client is to meet a closed connection. */
  | { readonly kind: 'retire' }
  /** Say that you are alive. */
  | { readonly kind: 'ping' }
  /** Say what your metrics are. */
  | { readonly kind: 'count'; readonly id: number }
  /** It is your turn to write to the database. */
  | { readonly kind: 'turn' }
  /** Heard that you have left: nothing is handed to you after this. */
  | { readonly kind: 'left'; readonly id: number }
  /** What has come of what you have asked of buckets. */
  | { readonly kind: 'buckets'; readonly id: number; readonly answers: readonly BucketAnswer[] }
  /** The metrics of all, for which you have asked. */
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string };

/** The first order that a worker gets. */
export interface Start {
  readonly kind: 'start';
  /** The configuration's files; they are not read again, so that all workers have the same. */
  readonly sources: readonly Source[];
  /** What stood in them when the signing keys were last read again. */
  readonly keySources: readonly Source[];
  /** Whether it brings the database up to date, before there are others. */
  readonly isFirst: boolean;
  /** The SQLite file that the supervisor holds. */
  readonly heldFile: HeldFile | undefined;
  /** What stood in files of secrets, by their paths; they are not read again either. */
  readonly secrets: Secrets;
  /** The same as they were when the signing keys were last read again. */
  readonly keySecrets: Secrets;
}

/** What a worker tells the supervisor. */
export type Report =
  /** It is there, and waits for its first order. */
  | { readonly kind: 'waiting'; readonly version: string }
  /** It serves clients. */
  | { readonly kind: 'ready' }
  | { readonly kind: 'leads' }
  /** It cannot do what one does for all; it goes on serving clients. */
  | { readonly kind: 'cannot-lead' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'counted'; readonly id: number; readonly snapshot: MetricsSnapshot }
  /** What it has counted in all, at its end. */
  | { readonly kind: 'counted-last'; readonly snapshot: MetricsSnapshot }
  /** It has stopped listening. */
  | { readonly kind: 'has-left'; readonly id: number }
  | { readonly kind: 'wants-turn' }
  | { readonly kind: 'turn-over' }
  | { readonly kind: 'asks-buckets'; readonly id: number; readonly asks: readonly BucketAsk[] }
  | { readonly kind: 'wants-metrics'; readonly id: number };
