import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';
import type { Key } from '../../../src/config/keys.ts';
import { FAMILIES, SECTIONS } from '../../../src/config/known-keys.ts';
import { peerKeys } from '../../../src/config/sections/peers.ts';
import type { ApiDescription } from '../../../src/listeners/http/openapi.ts';
import { internalApiRoutes } from '../../../src/listeners/internal-api/routes.ts';
import { PUSH_PATH } from '../../../src/replication/peers.ts';
import { get } from '../../support/http.ts';
import { startTestServer } from '../../support/server.ts';
import { KEYS, OWN_KEYS, PEER_KEYS } from './config-keys.ts';
import { ENDPOINTS, OTHER_ENDPOINTS } from './endpoints.ts';
import { CONVENTIONS, LISTENERS } from './http.ts';
import { fileOf, type Row, type Rows, table, titleOf } from './row.ts';
import {
  CONFIG_FILE,
  DATABASE,
  ENVIRONMENT,
  REPLICATION,
  RUNNING,
  TEMPLATES,
  TOOLS,
} from './surroundings.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const TABLES: readonly Rows[] = [
  LISTENERS,
  CONVENTIONS,
  ...Object.values(ENDPOINTS),
  OTHER_ENDPOINTS,
  CONFIG_FILE,
  ...Object.values(KEYS),
  PEER_KEYS,
  ENVIRONMENT,
  TEMPLATES,
  DATABASE,
  REPLICATION,
  RUNNING,
  TOOLS,
];
const rows: readonly (Row & { readonly about: string })[] = TABLES.flatMap((each) =>
  Object.entries(each).flatMap(([about, list]) => list.map((row) => ({ ...row, about }))),
);

const allKeys = Object.values(SECTIONS).flat();
const names = (keys: readonly Key<unknown>[]) => keys.map(({ name }) => name);

/** In which versions each endpoint of the client API is, by method and path under the version’s root. */
let versions: Map<string, string[]>;

beforeAll(async () => {
  const server = await startTestServer();
  const { paths } = (await get(`${server.url}/_matrix/identity/openapi.json`))
    .json as ApiDescription;
  await server.stop();
  versions = new Map();
  for (const [whole, methods] of Object.entries(paths)) {
    const [, version, bare = ''] =
      /^(?:\/_matrix\/identity(?:\/(v2|api\/v1))?)?(\/.*)?$/.exec(whole) ?? [];
    for (const method of Object.keys(methods)) {
      const endpoint = `${method.toUpperCase()} ${bare || '/'}`;
      const known = versions.get(endpoint) ?? [];
      versions.set(endpoint, version ? [...known, version.slice(-2)].sort() : known);
    }
  }
});

test('every endpoint has its rows, and every row an endpoint', () => {
  const described = Object.values(ENDPOINTS).flatMap((group) => Object.keys(group));
  expect(described.sort()).toEqual([...versions.keys()].sort());
  const internal = internalApiRoutes({} as never, false).flatMap(({ root, endpoints }) =>
    endpoints.map(({ method, path: at }) => `${method} ${root}${at}`),
  );
  expect(Object.keys(OTHER_ENDPOINTS).sort()).toEqual(
    [...internal, `POST ${PUSH_PATH}`, 'GET /metrics'].sort(),
  );
});

test('every key of the configuration has its rows, and every row a key', () => {
  for (const [section, keys] of Object.entries(SECTIONS)) {
    const families = FAMILIES.filter((family) => family.section === section);
    expect(Object.keys(KEYS[section] ?? {}).sort(), section).toEqual(
      [...names(keys.filter(({ own }) => !own)), ...families.map(({ name }) => name)].sort(),
    );
  }
  expect(Object.keys(PEER_KEYS)).toEqual(names(Object.values(peerKeys('peer.x'))));
  expect(Object.values(OWN_KEYS).flat().sort()).toEqual(
    names(allKeys.filter(({ own }) => own)).sort(),
  );
});

test('what is the same has a test, what is not a reason', () => {
  const untested = rows.filter(({ is, tests }) => is === 'same' && tests.length === 0);
  expect(untested.map(({ about, sydent }) => `${about}: ${sydent}`)).toEqual([]);
  expect(rows.filter(({ is, why }) => is !== 'same' && why === '')).toEqual([]);
  expect(rows.filter(({ sydent, here }) => /[|\n]/.test(`${sydent}${here}`))).toEqual([]);
});

test('the tests that rows name are there', async () => {
  const named = new Set(rows.flatMap(({ tests }) => tests));
  const missing: string[] = [];
  for (const each of named) {
    const text = await readFile(path.join(ROOT, fileOf(each)), 'utf8').catch(() => '');
    const title = titleOf(each);
    // As it stands in the source: the name of a test or a group of them, or the first member of a case.
    if (!["'", '"', '`'].some((quote) => text.includes(`${quote}${title}${quote}`))) {
      missing.push(each);
    }
  }
  expect(missing).toEqual([]);
});

const inCode = (name: string) => `\`${name}\``;

/** The path with the versions that have it. */
function endpointName(endpoint: string): string {
  const where = versions.get(endpoint) ?? [];
  return where.length === 0 ? inCode(endpoint) : `${inCode(endpoint)} ${where.join(', ')}`;
}

/** The key with what stands for it where the file has none. */
function keyName(name: string): string {
  const key = allKeys.find((candidate) => candidate.name === name);
  if (key?.default === undefined) return inCode(name);
  const environment = key.environment ? `$${key.environment}, else ` : '';
  const fallback = key.defaultNote ?? (key.default === '' ? 'empty' : inCode(key.default));
  return `${inCode(name)} (${environment}${fallback})`;
}

test('docs/from-sydent.md says all that', async () => {
  const endpoints = Object.entries(ENDPOINTS).map(
    ([group, about]) => `### ${group}\n\n${table('endpoint', about, endpointName)}\n`,
  );
  const keys = Object.entries(KEYS).map(
    ([section, about]) => `### \`[${section}]\`\n\n${table('key', about, keyName)}\n`,
  );
  const own = Object.entries(OWN_KEYS).map(
    ([what, list]) => `| ${what} | ${list.map(inCode).join(', ')} |`,
  );
  const text = `# From Sydent

For those who run Sydent 2.7 and think of moving: how to move and how to go back, then what you will find, endpoint by endpoint
and key by key.

## Step by step

1. **Look first.** In the folder where Sydent runs, or with the same \`SYDENT_*\` environment variables, run
   \`cognomen check-config\`. It changes nothing, tells which keys mean nothing to it, and tries relay and database.
2. **Stop Sydent.** Cognomen refuses to start while another process has the database open for writing.
3. **Start Cognomen** there: \`cognomen serve\`, [the image](install.md#the-image) on the same volume, or
   [the Debian package](install.md#the-debian-package) with the two files where it looks for them. It copies the database
   beside itself (\`sydent.db.backup-…\`), brings files of older Sydents up to date, and adds tables of its own. Your
   templates, brands, key and pepper are used as they are. A million associations take less than half a minute.
4. **See that all is well**: \`cognomen doctor\`, and \`cognomen lookup\` of an address that you know.
5. **Then, in your own time**: [limits](limits.md) are only counted until \`limits.enforce = true\`; SQLite can be
   [copied to PostgreSQL](operations.md#moving-to-postgresql-and-back).

**Back again**: stop Cognomen and start Sydent 2.7 on the same two files. Bindings, sessions and deletions made meanwhile are
all there; Sydent does not see the tables of Cognomen's own. From PostgreSQL, \`cognomen db copy\` makes a SQLite file first.

## What you will find

- **same**: whoever relies on it goes on doing so. Each has a test, linked at the end of the row (tests are in the source,
  not in the package).
- **better**: it does what Sydent was meant to do, or what the specification asks for, or more; nobody has to change
  anything.
- **different**: whoever relied on what Sydent does has to know it. The reason stands beside it.

In short: clients, homeservers, peers, the configuration, templates and the database go on as they are. Look at one thing
before you move: log lines are JSON unless you ask for text.

## Listeners

${table('listener', LISTENERS)}

## Every request

${table('what', CONVENTIONS)}

## Endpoints of the client API

Under \`/_matrix/identity/v2\` (v2) and \`/_matrix/identity/api/v1\` (v1), those without a version under
\`/_matrix/identity\` itself. Their arguments and refusals are in [api.md](api.md).

${endpoints.join('\n')}
## Endpoints of other listeners

${table('endpoint', OTHER_ENDPOINTS, inCode)}

## The configuration file

${table('what', CONFIG_FILE)}

## Configuration keys

Behind each key stands what counts when the file does not have it. What each does with empty, negative, padded and odd
values is in [from-sydent-config.md](from-sydent-config.md); what each means in full, in
[configuration.md](configuration.md).

${keys.join('\n')}
### \`[peer.NAME]\`

${table('key', PEER_KEYS, inCode)}

### Keys that Sydent does not know

It passes them over in silence, so they may stay in the file when you go back. None needs to be set.

| for | keys |
|---|---|
${own.join('\n')}

## Environment variables

${table('variable', ENVIRONMENT)}

## Templates and brands

${table('what', TEMPLATES)}

## The database, and going back

${table('what', DATABASE)}

## Replication

${table('what', REPLICATION)}

## Running it

${table('what', RUNNING)}

## Tools

${table('tool', TOOLS)}
`;
  await expect(text).toMatchFileSnapshot('../../../docs/from-sydent.md');
});
