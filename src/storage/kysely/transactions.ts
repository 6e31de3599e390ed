import type { Engine } from '../engines/engine.ts';
import type { Storage } from '../stores/index.ts';
import { storesOn } from './stores-on.ts';

/** How `Storage.transaction` runs on an engine. */
export function transactionsOn(engine: Engine): Storage['transaction'] {
  return async (work) => {
    // The same step comes once, however often it was asked for.
    const afterwards = new Set<() => void>();
    const result = await engine.db.transaction().execute((transaction) =>
      engine.scope.run(() =>
        work({
          ...storesOn(engine, transaction),
          onCommit: (step) => void afterwards.add(step),
        }),
      ),
    );
    for (const step of afterwards) step();
    return result;
  };
}
