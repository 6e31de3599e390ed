import { InvalidValueError, type Key, seconds, wholeNumber } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

export interface ProcessesConfig {
  /** How many processes serve clients; `auto`: as many as the machine has processors for. */
  readonly workers: number | 'auto';
  /** Milliseconds between a signal to stop and the stop, in which only the health endpoint says so. */
  readonly shutdownDelay: number;
}

const section = 'general';

function workers(value: string): number | 'auto' {
  if (value === 'auto') return value;
  try {
    return wholeNumber(1, 64)(value);
  } catch {
    throw new InvalidValueError('a whole number from 1 to 64, or auto');
  }
}

/** Keys of `[general]`: the processes that serve, and how they stop. */
export const PROCESSES = {
  workers: {
    section,
    name: 'workers',
    default: '1',
    parse: workers,
    own: true,
    about:
      'How many processes serve clients behind the same port: as many as there are processors is a good number, or auto, which is just that. 1: all is done in one process. With more, one further process looks after them, and cognomen reload replaces them one by one.',
  },
  shutdownDelay: {
    section,
    name: 'shutdown.delay',
    default: '0',
    parse: seconds(0),
    own: true,
    about:
      'For how many seconds after SIGTERM or SIGINT the server goes on answering while GET /health and GET /ready answer 503, so that a load balancer finds out before connections are refused.',
  },
} satisfies Record<string, Key<unknown>>;

export const readProcesses = (reader: ConfigReader): ProcessesConfig => ({
  workers: reader.read(PROCESSES.workers),
  shutdownDelay: reader.read(PROCESSES.shutdownDelay),
});
