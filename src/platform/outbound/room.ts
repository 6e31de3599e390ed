import { createSemaphore, type Ticket } from '../semaphore.ts';
import { OutboundError } from './outbound-error.ts';

/** What requests are for. Each kind has room of its own, so that none takes that of another. */
export type RoomName = (typeof ROOMS)[number];

const ROOMS = ['configured', 'issuer', 'logins', 'keys', 'notices', 'peers'] as const;

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
  readonly ticket: Ticket;
}

const noRoom = (host: string) =>
  new OutboundError('overloaded', `There is no room for one more request to ${host}`);

function createRoom({ places, perHost, waiting, patience }: RoomLimits): Room {
  /** In the order of their coming. */
  const inside = new Set<Guest>();
  const hosts = createSemaphore({
    waiting: { each: waiting },
    patience,
    // Whoever waited makes nobody give way: so a place goes from hand to hand, and no further.
    hasRoom: () => hosts.inside < places,
  });

  function makeWay(): void {
    const [longest] = inside;
    if (longest === undefined) return;
    inside.delete(longest);
    longest.ticket.leave(false);
    longest.controller.abort(noRoom(longest.host));
  }

  /** @throws OutboundError `overloaded`; the signal's reason */
  async function wait({ host, controller: { signal }, ticket }: Guest): Promise<void> {
    if (await ticket.turn) return;
    const { reason } = signal;
    const inVain = reason instanceof OutboundError && reason.kind === 'timeout';
    throw reason === undefined || inVain ? noRoom(host) : reason;
  }

  return {
    async run(host, controller, work) {
      controller.signal.throwIfAborted();
      const ticket = hosts.enter(host, perHost, controller.signal);
      const guest = { host, controller, ticket };
      if (!ticket.isFree) await wait(guest);
      else if (hosts.inside > places) makeWay();
      inside.add(guest);
      try {
        controller.signal.throwIfAborted();
        return await work();
      } finally {
        // Who had to give way has left already.
        if (inside.delete(guest)) ticket.leave();
      }
    },
    get usage() {
      return { inside: hosts.inside, waiting: hosts.waiting };
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
