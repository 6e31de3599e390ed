import { OperatorError } from '../platform/operator-error.ts';
import { UsageError } from './usage-error.ts';

/** What is said of a failure: of what the operator cannot mend, where it was. */
function tellingOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'AbortError') return 'Interrupted';
  return error instanceof OperatorError ? error.message : (error.stack ?? error.message);
}

/**
 * The result of the work; undefined when it failed, after saying why on standard error.
 * @throws UsageError
 */
export async function orReportFailure<T>(work: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    process.stderr.write(`${tellingOf(error)}\n`);
    return undefined;
  }
}
