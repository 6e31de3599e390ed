import type { Among } from '../app/among.ts';
import type { Order, Report } from './messages.ts';

/** A worker's way to the supervisor. When the supervisor is gone Node ends the worker by itself. */
export interface Link {
  report(report: Report): void;
  /** The same; resolves when it is on its way, and the process may end. */
  deliver(report: Report): Promise<void>;
  /** What is shared with the other workers. */
  among(isFirst: boolean): Among;
}

/**
 * Opens the way to the supervisor.
 * @param obey called for each order that the link does not carry out itself
 */
export function openLink(obey: (order: Order) => void): Link {
  const turns: ((leave: () => void) => void)[] = [];
  const asked = new Map<number, (text: string) => void>();
  let lastId = 0;
  const report = (said: Report) => void process.send?.(said);

  process.on('message', (order: Order) => {
    switch (order.kind) {
      case 'ping':
        return report({ kind: 'alive' });
      case 'turn':
        return turns.shift()?.(() => report({ kind: 'turn-over' }));
      case 'metrics':
        asked.get(order.id)?.(order.text);
        return void asked.delete(order.id);
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
    among: (isFirst) => ({
      isFirst,
      writeTurn: {
        enter: () =>
          new Promise((resolve) => {
            turns.push(resolve);
            report({ kind: 'wants-turn' });
          }),
      },
      metricsOfAll: () =>
        new Promise((resolve) => {
          lastId += 1;
          asked.set(lastId, resolve);
          report({ kind: 'wants-metrics', id: lastId });
        }),
    }),
  };
}
