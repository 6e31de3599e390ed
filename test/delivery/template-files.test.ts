import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createBrands } from '../../src/delivery/templates/brands.ts';
import { type Clock, createClock, systemClock } from '../../src/platform/clock.ts';
import { temporaryFolder } from '../support/databases.ts';
import { WORDS } from '../support/words.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let logs: string[];
beforeEach(async () => {
  folder = await temporaryFolder();
  logs = [];
});
afterEach(() => folder.remove());

const put = async (name: string, text: string) => {
  const file = path.join(folder.path, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
};
const create = (clock: Clock, singleFiles = {}) =>
  createBrands(
    { templatesPath: folder.path, defaultBrand: 'own', singleFiles },
    { clock, logger: pino({}, { write: (line: string) => void logs.push(line) }) },
  );
/** Long after whatever happens to files in these tests. */
const later: Clock = createClock(() => Date.now() + 60_000, systemClock.monotonic);

const TEMPLATE = 'own/verification_template.eml';
const JINJA = `${TEMPLATE}.j2`;

describe('a template', () => {
  const finder = (clock: Clock = later, singleFiles = {}) => {
    const brands = create(clock, singleFiles);
    return async (brand?: string) => (await brands.find('verification', brand)).render;
  };

  test('is compiled once, whoever asks for it and when', async () => {
    await put(JINJA, '{{ to }}');
    const find = finder();
    const first = await Promise.all(Array.from({ length: 50 }, () => find()));
    expect(new Set([...first, await find(), await find('nobody')]).size).toBe(1);
    expect((await find())({ to: 'T' }, WORDS)).toBe('T');
  });

  test('is compiled again when its file is edited or replaced, not when it is touched', async () => {
    const file = await put(TEMPLATE, 'one');
    const find = finder();
    const one = await find();
    await writeFile(file, 'one');
    expect(await find()).toBe(one);
    await writeFile(file, 'two, edited');
    expect((await find())({}, WORDS)).toBe('two, edited');
    await rename(await put('own/new', 'three, replaced'), file);
    expect((await find())({}, WORDS)).toBe('three, replaced');
    await rm(file);
    await symlink(await put('own/elsewhere', 'four, a link'), file);
    expect((await find())({}, WORDS)).toBe('four, a link');
    await put('own/elsewhere', 'five, behind a link');
    expect((await find())({}, WORDS)).toBe('five, behind a link');
  });

  test('is seen as it is while it changes faster than the clock of the file system', async () => {
    const file = await put(TEMPLATE, '0000');
    const find = finder(systemClock);
    for (let version = 1; version <= 300; version++) {
      const text = String(version).padStart(4, '0');
      await writeFile(file, text);
      expect((await find())({}, WORDS)).toBe(text);
    }
  });

  test('that is deleted is so at once, and one that comes later is found', async () => {
    const find = finder();
    expect((await find('mine'))({}, WORDS)).toContain('Matrix');
    await put(TEMPLATE, 'default');
    expect((await find('mine'))({}, WORDS)).toBe('default');
    await put('mine/verification_template.eml', 'mine');
    expect((await find('mine'))({}, WORDS)).toBe('mine');
    await put('mine/verification_template.eml.j2', 'mine first');
    expect((await find('mine'))({}, WORDS)).toBe('mine first');
    await rm(path.join(folder.path, 'mine'), { recursive: true });
    expect((await find('mine'))({}, WORDS)).toBe('default');
  });

  test('that is no longer there where it has to be is said', async () => {
    const single = await put('single.eml', 'single');
    const find = finder(later, { verification: single });
    expect((await find())({}, WORDS)).toBe('single');
    await rm(single);
    await expect(find()).rejects.toThrow(`The template ${single} is not there`);
  });

  test.each([
    ['does not compile', '{% if %}', 'unexpected token'],
    ['has a filter that nobody knows', '{{ to|nonesuch }}', 'filter not found: nonesuch'],
  ])(
    'that changes into one that %s is the former one, which is logged once',
    async (_what, bad, fault) => {
      const file = await put(JINJA, 'good {{ to }}');
      const find = finder();
      expect((await find())({ to: 1 as unknown as string }, WORDS)).toBe('good 1');
      await writeFile(file, bad);
      for (let i = 0; i < 3; i++) expect((await find())({ to: 'T' }, WORDS)).toBe('good T');
      expect(logs).toHaveLength(1);
      expect(logs[0]).toContain(fault);
      expect(logs[0]).toContain(JSON.stringify(file).slice(1, -1));
      // Broken in another way, and then mended.
      await writeFile(file, `${bad} again`);
      expect((await find())({ to: 'T' }, WORDS)).toBe('good T');
      expect(logs).toHaveLength(2);
      await writeFile(file, 'better {{ to }}');
      expect((await find())({ to: 'T' }, WORDS)).toBe('better T');
    },
  );

  test('that cannot be read any more is the former one', async () => {
    const file = await put(TEMPLATE, 'good');
    const find = finder();
    expect((await find())({}, WORDS)).toBe('good');
    await rm(file);
    await mkdir(file);
    expect((await find())({}, WORDS)).toBe('good');
    expect(logs.join()).toContain('EISDIR');
    await rm(file, { recursive: true });
    await put(TEMPLATE, 'back again');
    expect((await find())({}, WORDS)).toBe('back again');
  });

  test('that was never good is said with its file each time, until it is mended', async () => {
    const file = await put(JINJA, '{% if %}');
    const find = finder();
    for (let i = 0; i < 2; i++) {
      const render = await find();
      expect(() => render({}, WORDS)).toThrow(`The template ${file} cannot be used: [Line 1`);
    }
    await writeFile(file, 'good');
    expect((await find())({}, WORDS)).toBe('good');
  });

  test('of one among very many is compiled again rather than all kept', async () => {
    const find = finder();
    for (let i = 0; i < 250; i++) await put(`brand${i}/verification_template.eml.j2`, `${i}`);
    const first = await find('brand0');
    for (let i = 1; i < 250; i++) expect((await find(`brand${i}`))({}, WORDS)).toBe(String(i));
    const again = await find('brand0');
    expect(again).not.toBe(first);
    expect(again({}, WORDS)).toBe('0');
    expect(await find('brand249')).toBe(await find('brand249'));
  });
});
