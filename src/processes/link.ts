import type { Among } from '../app/among.ts';
import type { BucketAnswer } from '../platform/bucket-store.ts';
import type { Order, Report } from './messages.ts';

/** A worker's way to the supervisor. When the supervisor is gone Node ends the worker by itself. */
export interface Link {
  report(report: Report): void;
  /** The same; resolves when it is on its way, and the process may end. */
  deliver(report: Report): Promise<void>;
  /**
   * To be called when this process has stopped listening: connections that it was handed meanwhile go to others. Resolves
   * when all of them have.
   */
  leave(): Promise<void>;
  /** What is shared with the other workers. */
  among(others: Pick<Among, 'isFirst' | 'file'>): Among;
}

/** Questions of one kind that are not answered yet. */
function createQuestions<Answer>() {
  const waiting = new Map<number, (answer: Answer) => void>();
  let last = 0;
  return {
    ask: (send: (id: number) => void): Promise<Answer> =>
      new Promise((resolve) => {
        last += 1;
        waiting.set(last, resolve);
        send(last);
      }),
    answer(id: number, answer: Answer): void {
      waiting.get(id)?.(answer);
      waiting.delete(id);
    },
  };
}

/**
 * Opens the way to the supervisor.
 * @param obey called for each order that the link does not carry out itself
 */
export function openLink(obey: (order: Order) => void): Link {
  const turns: ((leave: () => void) => void)[] = [];
  const metrics = createQuestions<string>();
  const leaving = createQuestions<void>();
  const buckets = createQuestions<readonly BucketAnswer[]>();
  const report = (said: Report) => void process.send?.(said);

  process.on('message', (order: Order) => {
    switch (order.kind) {
      case 'ping':
        return report({ kind: 'alive' });
      case 'turn':
        return turns.shift()?.(() => report({ kind: 'turn-over' }));
      case 'metrics':
        return metrics.answer(order.id, order.text);
      case 'left':
        return leaving.answer(order.id);
      case 'buckets':
        return buckets.answer(order.id, order.answers);
      default:
        return obey(order);
    }
  });

  return {
    report,
    deliver: (said) =>
      new Promise((resolve) => {
        if (process.connected) process.send?.(said, () => resolve());
        else resolve();
      }),
    leave: () => leaving.ask((id) => report({ kind: 'has-left', id })),
    among: (others) => ({
      ...others,
      writeTurn: {
        enter: () =>
          new Promise((resolve) => {
            turns.push(resolve);
            report({ kind: 'wants-turn' });
          }),
      },
      buckets: {
        ask: (asks) => buckets.ask((id) => report({ kind: 'asks-buckets', id, asks })),
      },
      metricsOfAll: () => metrics.ask((id) => report({ kind: 'wants-metrics', id })),
    }),
  };
}
