import { Counter, Gauge, type Registry } from 'prom-client';

export type PushOutcome = 'accepted' | 'refused' | 'too-large' | 'failed';

/** What is counted of replication; `peer` is a name from the peers table, of which there are few. */
export interface ReplicationMetrics {
  push(peer: string, outcome: PushOutcome): void;
  sent(peer: string, count: number): void;
  refused(peer: string, count: number): void;
  skipped(peer: string, count: number): void;
  backlog(peer: string, ids: number): void;
  /** The peer is gone, or is not pushed to any more. */
  forget(peer: string): void;
  received(peer: string, bindings: number, deletions: number): void;
  /** What a peer sent and was not stored, by why. */
  leftOut(peer: string, reason: string, count: number): void;
}

export function createReplicationMetrics(registers: Registry[]): ReplicationMetrics {
  const counter = <const L extends string>(name: string, help: string, labelNames: L[]) =>
    new Counter({ name: `cognomen_replication_${name}`, help, labelNames, registers });
  const pushes = counter(
    'pushes_total',
    'Pushes to a peer, by outcome: accepted, refused, too-large, failed',
    ['peer', 'outcome'],
  );
  const sent = counter('sent_total', 'Associations and deletions that a peer took', ['peer']);
  const refused = counter(
    'refused_total',
    'Associations that a peer refused, each time that it did',
    ['peer'],
  );
  const skipped = counter(
    'skipped_total',
    'Associations given up because a peer refused them for too long',
    ['peer'],
  );
  const backlog = new Gauge({
    name: 'cognomen_replication_backlog',
    help: 'Ids of the log that a peer is still to be sent; some may have been replaced since',
    labelNames: ['peer'],
    registers,
  });
  const received = counter(
    'received_total',
    'Associations and deletions received from a peer and stored',
    ['peer', 'kind'],
  );
  const leftOut = counter(
    'left_out_total',
    'Associations and deletions of a peer, rightly signed, that were acknowledged and not stored, by reason: members (it has some that an association does not have), malformed, ahead (dated more than a day ahead), erased (said before it was erased here)',
    ['peer', 'reason'],
  );
  return {
    push: (peer, outcome) => pushes.inc({ peer, outcome }),
    sent: (peer, count) => sent.inc({ peer }, count),
    refused: (peer, count) => refused.inc({ peer }, count),
    skipped: (peer, count) => skipped.inc({ peer }, count),
    backlog: (peer, ids) => backlog.set({ peer }, ids),
    forget: (peer) => backlog.remove({ peer }),
    received(peer, bindings, deletions) {
      received.inc({ peer, kind: 'bind' }, bindings);
      received.inc({ peer, kind: 'unbind' }, deletions);
    },
    leftOut: (peer, reason, count) => leftOut.inc({ peer, reason }, count),
  };
}
