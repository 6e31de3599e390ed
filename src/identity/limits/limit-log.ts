import type { Logger } from 'pino';
import type { LimitName, LimitSetting, LimitSettings } from '../../model/limits.ts';
import type { Clock } from '../../platform/clock.ts';

export interface LimitLog {
  /** Notes that a request met the limit when it was reached: said once a minute at most. */
  exceeded(limit: LimitName, setting: LimitSetting): void;
}

const MINUTE = 60 * 1000;

export function createLimitLog(logger: Logger, clock: Clock): LimitLog {
  const said = new Map<LimitName, { at: number; since: number }>();
  return {
    exceeded(limit, { refuses, keys }) {
      const now = clock.monotonic();
      const last = said.get(limit);
      if (last !== undefined && now - last.at < MINUTE) {
        last.since++;
        return;
      }
      said.set(limit, { at: now, since: 0 });
      const times = (last?.since ?? 0) + 1;
      logger.warn(
        { limit, times, refused: refuses },
        refuses
          ? `The limit ${limit} refuses requests; ${keys} sets it`
          : `The limit ${limit} is reached, and would refuse with limits.enforce = true; ${keys} sets it`,
      );
    },
  };
}

/** What the start says of limits that only count; undefined where all refuse. */
export function describeReporting(settings: LimitSettings): string | undefined {
  const reporting = Object.entries(settings).flatMap(([name, setting]) =>
    setting === undefined || setting.refuses ? [] : [name],
  );
  if (reporting.length === 0) return undefined;
  return `These limits only count and log what they would refuse, until [general] limits.enforce = true: ${reporting.join(', ')}`;
}
