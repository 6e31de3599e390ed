import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { linesNaming } from '../../src/platform/log-search.ts';
import { temporaryFolder } from '../support/databases.ts';

test('a log that cannot be looked through keeps nobody from the others, and is told', async () => {
  const folder = await temporaryFolder();
  const at = (name: string) => path.join(folder.path, name);
  try {
    await writeFile(at('server.log'), '{"mxid":"@ada:sample.test"}\n');
    await writeFile(at('server.log.1'), 'of @ada:sample.test, and\nof nobody\n');
    await writeFile(at('server.log.2.gz'), 'what is in it nobody can see');
    await mkdir(at('server.log.old'));
    await writeFile(at('other.log'), '@ada:sample.test\n');
    expect(await linesNaming(at('server.log'), ['@ada:sample.test'], 1)).toEqual({
      files: [at('server.log'), at('server.log.1')],
      unread: [at('server.log.2.gz'), at('server.log.old')],
      count: 2,
      lines: ['{"mxid":"@ada:sample.test"}'],
    });
    const nowhere = path.join(folder.path, 'nowhere');
    expect(await linesNaming(path.join(nowhere, 'server.log'), ['a'], 1)).toMatchObject({
      unread: [nowhere],
      count: 0,
    });
  } finally {
    await folder.remove();
  }
});
