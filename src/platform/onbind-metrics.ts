import { Counter, Gauge, type Registry } from 'prom-client';

export type NoticeOutcome = 'delivered' | 'refused' | 'postponed' | 'given-up' | 'withdrawn';

/** What homeservers are still to be told. */
export interface OnbindMeasure {
  readonly size: number;
  /** Those of them that were refused and are offered again. */
  readonly refused: number;
  /** Seconds since the oldest of the others came. */
  readonly age: number;
}

/** What is counted of invitations and of notices to homeservers. */
export interface OnbindMetrics {
  invitationStored(): void;
  invitationDelivered(count?: number): void;
  invitationGivenWay(): void;
  notice(outcome: NoticeOutcome, count?: number): void;
  /** Whom to ask how much that is, each time the metrics are read. */
  observe(measure: () => Promise<OnbindMeasure>): void;
}

export function createOnbindMetrics(registers: Registry[]): OnbindMetrics {
  let measure: (() => Promise<OnbindMeasure>) | undefined;
  const stored = new Counter({
    name: 'cognomen_invitations_stored_total',
    help: 'Invitations mailed and kept',
    registers,
  });
  const invited = new Counter({
    name: 'cognomen_invitations_delivered_total',
    help: 'Invitations that the homeserver of a bound user took',
    registers,
  });
  const givenWay = new Counter({
    name: 'cognomen_invitations_given_way_total',
    help: 'Pending invitations dropped for newer ones, because their address or sender had as many as may be',
    registers,
  });
  const notices = new Counter({
    name: 'cognomen_notices_total',
    help: 'Notices to homeservers, by outcome: delivered, refused (offered again by itself), postponed (the homeserver is tried again), given-up, withdrawn (the binding was taken back before)',
    labelNames: ['outcome'],
    registers,
  });
  /** A database that does not answer must not take the other metrics with it. */
  const measured = () => measure?.().catch(() => undefined);
  new Gauge({
    name: 'cognomen_outbox_notices',
    help: 'Notices that homeservers have not taken yet, of all processes on the database; counted up to 100000',
    registers,
    async collect() {
      const owed = await measured();
      if (owed) this.set(owed.size);
    },
  });
  new Gauge({
    name: 'cognomen_outbox_refused_notices',
    help: 'Those of them that their homeserver refused and is offered again',
    registers,
    async collect() {
      const owed = await measured();
      if (owed) this.set(owed.refused);
    },
  });
  new Gauge({
    name: 'cognomen_outbox_oldest_seconds',
    help: 'Age of the oldest notice that its homeserver has neither taken nor refused yet; 0 when there is none',
    registers,
    async collect() {
      const owed = await measured();
      if (owed) this.set(owed.age);
    },
  });
  return {
    invitationStored: () => stored.inc(),
    invitationDelivered: (count = 1) => invited.inc(count),
    invitationGivenWay: () => givenWay.inc(),
    notice: (outcome, count = 1) => notices.inc({ outcome }, count),
    observe(source) {
      measure = source;
    },
  };
}
