import { expect, test } from 'vitest';
import { createClock, systemClock } from '../../src/platform/clock.ts';
import { createPace } from '../../src/platform/pace.ts';
import { secureRandom } from '../../src/platform/random.ts';

test('what is left out takes as long as what was done lately, and is not held up by what failed', async () => {
  let now = 0;
  const pace = createPace(
    createClock(
      () => now,
      () => now,
    ),
    secureRandom,
  );
  const imitated = async () => {
    const begun = systemClock.monotonic();
    await pace.imitate(async () => {});
    return systemClock.monotonic() - begun;
  };
  const failing = pace.measured(async () => {
    now += 1_000_000;
    throw new Error('refused');
  });
  await expect(failing).rejects.toThrow('refused');
  // Nothing is remembered yet: it takes what such work may well take.
  const supposed = await imitated();
  expect(supposed).toBeGreaterThan(100);
  expect(supposed).toBeLessThan(1000);
  await pace.measured(async () => {
    now += 100_000;
  });
  for (let i = 0; i < 32; i++) {
    await pace.measured(async () => {
      now += 60;
    });
  }
  // A timer may be early by a part of a millisecond.
  expect(await imitated()).toBeGreaterThan(58);
  const part = Promise.reject(new Error('down'));
  await expect(pace.imitate(() => part)).rejects.toThrow('down');
});
