import pino from 'pino';
import { expect, test } from 'vitest';
import { usableNextLink } from '../../src/identity/validation/next-link.ts';

const options = { nextLinkSchemes: [], logger: pino({ level: 'silent' }) };

/** Microseconds of a processor. */
function spentOn(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  return process.cpuUsage(before).user;
}

test('a link that is too long is not encoded first', () => {
  const long = `https://app.test/${' '.repeat(500_000)}`;
  const encoding = spentOn(() => long.replace(/\p{Z}/gu, encodeURIComponent));
  const own = Math.min(...[1, 2, 3].map(() => spentOn(() => usableNextLink(long, options))));
  expect(own).toBeLessThan(encoding / 5);
  expect(usableNextLink(long, options)).toBeUndefined();
  expect(usableNextLink('https://app.test/a b', options)).toBe('https://app.test/a%20b');
});
