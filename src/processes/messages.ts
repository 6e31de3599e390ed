import type { Source } from '../config/load.ts';
import type { BucketAnswer, BucketAsk } from '../platform/bucket-store.ts';
import type { MetricsSnapshot } from '../platform/metrics.ts';

/** What the supervisor tells a worker. */
export type Order =
  | Start
  /** Do from now on what one worker does for all. */
  | { readonly kind: 'lead' }
  /** Open the log anew, and read again what stands in files of its own. */
  | { readonly kind: 'renew'; readonly keySources: readonly Source[] | undefined }
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
}

/** What a worker tells the supervisor. */
export type Report =
  /** It is there, and waits for its first order. */
  | { readonly kind: 'waiting' }
  /** It serves clients. */
  | { readonly kind: 'ready'; readonly version: string }
  | { readonly kind: 'leads' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'counted'; readonly id: number; readonly snapshot: MetricsSnapshot }
  /** What it has counted in all, at its end. */
  | { readonly kind: 'counted-last'; readonly snapshot: MetricsSnapshot }
  | { readonly kind: 'wants-turn' }
  | { readonly kind: 'turn-over' }
  | { readonly kind: 'asks-buckets'; readonly id: number; readonly asks: readonly BucketAsk[] }
  | { readonly kind: 'wants-metrics'; readonly id: number };
