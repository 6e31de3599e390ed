import { OutboundError } from './outbound-error.ts';

/** What requests are for. Each kind has room of its own, so that none takes that of another. */
export type RoomName = (typeof ROOMS)[number];

const ROOMS = ['configured', 'logins', 'keys', 'notices'] as const;

export interface RoomLimits {
  /** So many are under way. When one more comes, the one that has been for longest gives way. */
  readonly places: number;
  /** So many of them to one host; others to it wait. */
  readonly perHost: number;
  /** So many wait for one host. */
  readonly waiting: number;
  /** Milliseconds that each of them waits. */
  readonly patience: number;
}

/**
 * Lets so many in at a time. A host that is slow has few of the places, and any number of such hosts keeps nobody
 * out: when the room is full, whoever has been inside for longest gives way. What is answered soon gets its answer.
 */
export interface Room {
  /**
   * Runs the work when there is a place.
   * @param controller aborted, with OutboundError `overloaded`, when the work has to give way
   * @throws OutboundError `overloaded` when too many wait already, or its time ends as it waits; the signal's reason
   */
  run<T>(host: string, controller: AbortController, work: () => Promise<T>): Promise<T>;
  readonly usage: RoomUsage;
}

export interface RoomUsage {
  readonly inside: number;
  readonly waiting: number;
}

interface Guest {
  readonly host: string;
  readonly controller: AbortController;
}

/** One host's part of the room, there for as long as somebody uses it. */
interface Part {
  inside: number;
  /** Each lets one in. */
  readonly waiting: Set<() => void>;
}

const noRoom = (host: string) =>
  new OutboundError('overloaded', `There is no room for one more request to ${host}`);

function createRoom(limits: RoomLimits): Room {
  /** In the order of their coming. */
  const inside = new Set<Guest>();
  const parts = new Map<string, Part>();
  let waiting = 0;

  const partOf = (host: string): Part => parts.get(host) ?? { inside: 0, waiting: new Set() };

  function admit(guest: Guest): void {
    const part = partOf(guest.host);
    parts.set(guest.host, part);
    part.inside++;
    inside.add(guest);
  }

  function forgetUnused(host: string): void {
    const { inside, waiting } = partOf(host);
    if (inside === 0 && waiting.size === 0) parts.delete(host);
  }

  /** False when it had to give way before. */
  function dismiss(guest: Guest): boolean {
    if (!inside.delete(guest)) return false;
    partOf(guest.host).inside--;
    return true;
  }

  function makeWay(): void {
    const [longest] = inside;
    if (longest === undefined) return;
    dismiss(longest);
    forgetUnused(longest.host);
    longest.controller.abort(noRoom(longest.host));
  }

  function wait(guest: Guest): Promise<void> {
    const { host, controller } = guest;
    const part = partOf(host);
    if (part.waiting.size >= limits.waiting) throw noRoom(host);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const end = () => {
      clearTimeout(timer);
      controller.signal.removeEventListener('abort', giveUp);
      part.waiting.delete(enter);
      waiting--;
    };
    const enter = () => {
      end();
      admit(guest);
      resolve();
    };
    const giveUp = () => {
      end();
      forgetUnused(host);
      const { reason } = controller.signal;
      const inVain = reason instanceof OutboundError && reason.kind === 'timeout';
      reject(reason === undefined || inVain ? noRoom(host) : reason);
    };
    const timer = setTimeout(giveUp, limits.patience);
    controller.signal.addEventListener('abort', giveUp, { once: true });
    parts.set(host, part);
    part.waiting.add(enter);
    waiting++;
    return promise;
  }

  /** Whoever waited makes nobody give way: so a place goes from hand to hand, and no further. */
  function letWaitingIn(host: string): void {
    const part = partOf(host);
    for (const enter of part.waiting) {
      if (part.inside >= limits.perHost || inside.size >= limits.places) break;
      enter();
    }
    forgetUnused(host);
  }

  return {
    async run(host, controller, work) {
      const guest = { host, controller };
      controller.signal.throwIfAborted();
      if (partOf(host).inside >= limits.perHost) await wait(guest);
      else {
        if (inside.size >= limits.places) makeWay();
        admit(guest);
      }
      try {
        return await work();
      } finally {
        if (dismiss(guest)) letWaitingIn(host);
      }
    },
    get usage() {
      return { inside: inside.size, waiting };
    },
  };
}

/** A room for each kind of requests. */
export function createRooms(limitsOf: (name: RoomName) => RoomLimits) {
  return Object.fromEntries(ROOMS.map((name) => [name, createRoom(limitsOf(name))])) as Record<
    RoomName,
    Room
  >;
}
