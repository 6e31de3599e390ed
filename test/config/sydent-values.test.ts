import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Key } from '../../src/config/keys.ts';
import { FAMILIES, SECTIONS } from '../../src/config/known-keys.ts';
import { ConfigError, parseConfig } from '../../src/config/load.ts';
import { peerKeys } from '../../src/config/sections/peers.ts';
import { SIGNING_KEY } from '../support/server.ts';
import { type KeyValues, SYDENT_VALUES } from './sydent-values.ts';

const SURROUNDINGS = { env: {}, hostname: 'host', fullHostname: 'host.example.org' };

function parse(section: string, lines: string) {
  const crypto = section === 'crypto' ? '' : `[crypto]\ned25519.signingkey = ${SIGNING_KEY}\n`;
  return parseConfig('test.conf', `${crypto}[${section}]\n${lines}\n`, SURROUNDINGS);
}

/** Every value in it, by the path that leads there. */
function flat(value: unknown, path: string): [path: string, shown: string][] {
  if (value === undefined) return [];
  if (value instanceof Uint8Array) return flat(Buffer.from(value).toString('hex'), path);
  if (typeof value === 'number') return [[path, String(value)]];
  if (Array.isArray(value) || typeof value !== 'object' || value === null) {
    return [[path, JSON.stringify(value)]];
  }
  const members = value instanceof Map ? [...value] : Object.entries(value);
  return members.flatMap(([key, member]) => flat(member, path === '' ? key : `${path}.${key}`));
}

/** What the value does, compared with a file that lacks the key. */
function effect({ section, key, beside = '' }: KeyValues, value: string): string[] {
  const without = parse(section, beside);
  const known = new Map(flat(without.config, ''));
  try {
    const indented = value.replaceAll('\n', '\n  ');
    const { config, warnings } = parse(section, `${beside}\n${key} = ${indented}`);
    const given = new Map(flat(config, ''));
    const changed = [...given].filter(([path, text]) => known.get(path) !== text);
    const gone = [...known].filter(([path]) => !given.has(path));
    const taken = [
      ...changed.map(([path, text]) => `${path} = ${text}`),
      ...gone.map(([path]) => `${path} is gone`),
    ];
    return [
      ...(taken.length === 0 ? ['as if it were not there'] : taken),
      ...warnings
        .filter((text) => !without.warnings.includes(text))
        .map((text) => `warning: ${text}`),
    ];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map((problem) => `refused: ${problem}`);
  }
}

const PEER_KEYS: readonly Key<unknown>[] = Object.values(peerKeys('peer.p.test'));
const SYDENT_KEYS = [...Object.values(SECTIONS).flat(), ...PEER_KEYS].filter((key) => !key.own);

test('every key of Sydent’s has odd values among those tried, the empty one too', () => {
  const tried = (section: string, isIt: (name: string) => boolean) =>
    SYDENT_VALUES.filter((entry) => entry.section === section && isIt(entry.key)).flatMap(
      ({ values }) => values,
    );
  for (const { section, name } of SYDENT_KEYS) {
    expect(
      tried(section, (key) => key === name),
      name,
    ).toContain('');
  }
  for (const { section, prefix } of FAMILIES) {
    expect(
      tried(section, (key) => key.startsWith(prefix)),
      prefix,
    ).toContain('');
  }
});

test('odd values do what the reviewed list says', async () => {
  const text = SYDENT_VALUES.map((entry) => {
    const title = `[${entry.section}] ${[entry.key, ...(entry.beside?.split('\n') ?? [])].join(', with ')}`;
    const lines = entry.values.map((value) =>
      [`  ${JSON.stringify(value)}`, ...effect(entry, value).map((line) => `      ${line}`)].join(
        '\n',
      ),
    );
    return [title, ...lines].join('\n');
  }).join('\n\n');
  await expect(`${text}\n`).toMatchFileSnapshot('golden/sydent-values.txt');
});

test('the documentation compares every key of Sydent’s with what is done here', async () => {
  const file = new URL('../../docs/from-sydent-config.md', import.meta.url);
  const documented = await readFile(file, 'utf8');
  const names = [...SYDENT_KEYS.map(({ name }) => name), ...FAMILIES.map(({ name }) => name)];
  for (const name of names) expect(documented, name).toContain(`\`${name}\``);
});
