import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import { openLogFile } from '../../src/platform/log-file.ts';
import { createLogger } from '../../src/platform/logger.ts';
import { temporaryFolder } from '../support/databases.ts';
import { SIGNING_KEY, TestClock } from '../support/server.ts';

const DAY = 24 * 60 * 60 * 1000;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  file = path.join(folder.path, 'log', 'sydent.log');
  await mkdir(path.dirname(file));
});
afterEach(() => folder.remove());

/** In the time zone of this machine, as the names of log files are. */
const NOON = new Date(2026, 0, 31, 12).getTime();

function logging(level: string, clock: TestClock) {
  const { config } = parseConfig(
    'sydent.conf',
    `[general]\nserver.name = id.test\nlog.path = ${file}\nlog.level = ${level}\n[crypto]\ned25519.signingkey = ${SIGNING_KEY}\n`,
    { env: {}, hostname: 'id.test' },
  );
  return createLogger(config.general.log, { clock });
}

/** Lines are written when the turn of the event loop is over that they come in. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

test('the log file starts anew at midnight, and the old one gets the day in its name', async () => {
  const clock = new TestClock(NOON);
  const { logger, close } = await logging('INFO', clock);
  logger.info('before midnight');
  await turn();
  clock.advance(DAY);
  logger.info('after midnight');
  await close();
  expect((await readdir(path.dirname(file))).sort()).toEqual([
    'sydent.log',
    'sydent.log.2026-01-31',
  ]);
  expect(await readFile(`${file}.2026-01-31`, 'utf8')).toContain('before midnight');
  const today = await readFile(file, 'utf8');
  expect(today).toContain('after midnight');
  expect(today).not.toContain('before midnight');
});

test('processes that share a log file lose no line at midnight', async () => {
  const clock = new TestClock(NOON);
  const processes: Awaited<ReturnType<typeof logging>>[] = [];
  for (let i = 0; i < 3; i++) processes.push(await logging('INFO', clock));
  const lines = (when: string) => processes.map((_, i) => `${when} by ${i}.`);
  const write = async (when: string) => {
    for (const [i, { logger }] of processes.entries()) logger.info(`${when} by ${i}.`);
    await turn();
  };
  await write('first day');
  clock.advance(DAY);
  await write('second day');
  await write('again on the second day');
  clock.advance(DAY);
  await write('third day');
  for (const { close } of processes) await close();
  const read = (name: string) => readFile(name, 'utf8');
  for (const line of lines('first day')) expect(await read(`${file}.2026-01-31`)).toContain(line);
  for (const line of [...lines('second day'), ...lines('again on the second day')]) {
    expect(await read(`${file}.2026-02-01`)).toContain(line);
  }
  for (const line of lines('third day')) expect(await read(file)).toContain(line);
});

test('a process that rotates while another does writes into the new file all the same', async () => {
  const clock = new TestClock(NOON);
  const log = openLogFile(file, clock);
  log.write('first day\n');
  clock.advance(DAY);
  // The other has given the file its new name, and not yet taken the old one away.
  await link(file, `${file}.2026-01-31`);
  log.write('at midnight\n');
  await rm(file);
  log.write('second day\n');
  clock.advance(DAY / 4);
  log.write('later\n');
  log.close();
  expect(await readFile(file, 'utf8')).toBe('second day\nlater\n');
  expect(await readFile(`${file}.2026-01-31`, 'utf8')).toBe('first day\nat midnight\n');
});

test('lines of one turn are written together, a warning at once with all before it', async () => {
  const { logger, close } = await logging('INFO', new TestClock(NOON));
  const written = () => readFileSync(file, 'utf8').match(/(?<="msg":")\w+/g) ?? [];
  logger.info('first');
  logger.info('second');
  expect(written()).toEqual([]);
  await turn();
  expect(written()).toEqual(['first', 'second']);
  logger.info('before');
  logger.warn('warning');
  expect(written()).toEqual(['first', 'second', 'before', 'warning']);
  logger.info('last');
  await close();
  expect(written().at(-1)).toBe('last');
});

test('what a process logs before it throws, or exits, is written', () => {
  const { href } = new URL('../../src/platform/logger.ts', import.meta.url);
  for (const end of ['throw new Error()', 'process.exit(3)']) {
    rmSync(file, { force: true });
    const options = JSON.stringify({ path: file, level: 'info', format: 'json' });
    const program = `import { createLogger } from ${JSON.stringify(href)};
      const { logger } = await createLogger(${options}, { clock: { now: Date.now } });
      logger.info('the last line');
      ${end}`;
    spawnSync(process.execPath, ['--input-type=module', '-e', program]);
    expect(readFileSync(file, 'utf8')).toContain('the last line');
  }
});

test('what is secret is hidden, should anything log it all the same', async () => {
  const { logger, close } = await logging('INFO', new TestClock(NOON));
  const names = ['token', 'access_token', 'client_secret', 'clientSecret', 'password'];
  for (const name of [...names, 'authorization', 'private_key']) {
    logger.info({ [name]: 'opensesame', request: { [name]: 'opensesame' } }, 'An accident');
  }
  await close();
  const text = await readFile(file, 'utf8');
  expect(text.match(/\(hidden\)/g)).toHaveLength(14);
  expect(text).not.toContain('opensesame');
});

test('365 old log files are kept, and nothing else in the folder is touched', async () => {
  const days = Array.from({ length: 366 }, (_, ago) => new Date(NOON - (ago + 1) * DAY));
  const names = days.map((day) => {
    const pad = (part: number) => String(part).padStart(2, '0');
    return `sydent.log.${day.getFullYear()}-${pad(day.getMonth() + 1)}-${pad(day.getDate())}`;
  });
  const others = ['sydent.log.1', 'sydent.log.2020-01-01.gz', 'other.log.2020-01-01'];
  for (const name of [...names, ...others]) {
    await writeFile(path.join(path.dirname(file), name), name);
  }
  const clock = new TestClock(NOON);
  const { logger, close } = await logging('INFO', clock);
  logger.info('today');
  clock.advance(DAY);
  logger.info('tomorrow');
  await close();
  const left = await readdir(path.dirname(file));
  expect(left.sort()).toEqual(
    ['sydent.log', 'sydent.log.2026-01-31', ...names.slice(0, 364), ...others].sort(),
  );
});

test.each([
  ['DEBUG', ['debug', 'info', 'warn', 'error', 'fatal']],
  ['INFO', ['info', 'warn', 'error', 'fatal']],
  ['WARNING', ['warn', 'error', 'fatal']],
  ['error', ['error', 'fatal']],
  ['CRITICAL', ['fatal']],
])('log.level = %s logs what is as serious as that', async (level, logged) => {
  const { logger, close } = await logging(level, new TestClock(NOON));
  for (const each of ['debug', 'info', 'warn', 'error', 'fatal'] as const) logger[each]('x');
  await close();
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).level)).toEqual(logged);
});
