import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { orReportFailure } from '../../src/cli/report-failure.ts';
import { ConfigError } from '../../src/config/load.ts';
import { DatabaseOpenError } from '../../src/storage/engines/engine.ts';

let said: string;
beforeEach(() => {
  said = '';
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    said += text;
    return true;
  });
});
afterEach(() => vi.restoreAllMocks());

const failing = (error: Error) =>
  orReportFailure(() => {
    throw error;
  });

test.each([
  new ConfigError('sydent.conf', ['it does not exist']),
  new DatabaseOpenError('The database is not there'),
])('what the operator can mend is told by its message: %s', async (error) => {
  await failing(error);
  expect(said).toBe(`${error.message}\n`);
});

test('anything else keeps its stack, whatever code it has', async () => {
  await failing(
    Object.assign(new TypeError('A mistake of ours'), { code: 'ERR_INVALID_ARG_TYPE' }),
  );
  expect(said).toContain('A mistake of ours');
  expect(said).toContain('operator-error.test.ts');
});
