import type { TimeLimits } from '../platform/outbound/outbound.ts';

/** Milliseconds that homeservers have. Finding them counts in every `total`. */
export interface HomeserverTimings {
  readonly wellKnown: TimeLimits;
  readonly keys: TimeLimits;
  readonly login: TimeLimits;
  readonly notice: TimeLimits;
  /** It takes up each invitation with other homeservers before it answers. */
  readonly noticeWithInvites: TimeLimits;
  /** So soon at the earliest a client is told that a homeserver cannot be asked. */
  readonly failure: number;
}

export const TIMINGS: HomeserverTimings = {
  wellKnown: { answer: 5000, total: 10_000 },
  keys: { answer: 5000, total: 20_000 },
  login: { answer: 10_000, total: 20_000 },
  notice: { answer: 10_000, total: 30_000 },
  noticeWithInvites: { answer: 60_000, total: 80_000 },
  failure: 1000,
};
