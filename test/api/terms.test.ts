import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/config/load.ts';
import { loadTerms } from '../../src/config/terms-file.ts';
import { ENGINES, temporaryFolder } from '../support/databases.ts';
import { get, postJson, type TestAnswer } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const code = ({ status, json }: TestAnswer) => [status, json.errcode];

const terms = (version: string) => `master_version: "${version}"
docs:
  terms_of_service:
    version: "2.0"
    langs:
      en:
        name: Terms of Service
        url: https://id.test/terms-2.0-en.html
      fr:
        name: Conditions d'utilisation
        url: https://id.test/terms-2.0-fr.html
  privacy_policy:
    version: "1.2"
    langs:
      en:
        name: Privacy Policy
        url: https://id.test/privacy-1.2-en.html
`;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let file: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  file = path.join(folder.path, 'terms.yaml');
});
afterAll(() => folder.remove());

describe.each(ENGINES)('terms on %s', (engine) => {
  let server: TestServer;
  const v2 = () => `${server.url}/_matrix/identity/v2`;
  const accept = (urls: unknown, token?: string) =>
    postJson(`${v2()}/terms`, { user_accepts: urls }, token);

  beforeAll(async () => {
    await writeFile(file, terms('2.0'));
    server = await startTestServer({ engine, sections: { general: `terms.path = ${file}` } });
  });
  afterAll(() => server.stop());

  test('are shown without a token', async () => {
    expect((await get(`${v2()}/terms`)).json).toEqual({
      policies: {
        terms_of_service: {
          version: '2.0',
          en: { name: 'Terms of Service', url: 'https://id.test/terms-2.0-en.html' },
          fr: { name: "Conditions d'utilisation", url: 'https://id.test/terms-2.0-fr.html' },
        },
        privacy_policy: {
          version: '1.2',
          en: { name: 'Privacy Policy', url: 'https://id.test/privacy-1.2-en.html' },
        },
      },
    });
  });

  test('must be accepted, each in some language, before anything else is answered', async () => {
    const token = await server.token('@ada:sample.test');
    const asks = () => get(`${v2()}/account`, {}, token);
    expect(code(await asks())).toEqual([403, 'M_TERMS_NOT_SIGNED']);
    expect(code(await postJson(`${v2()}/lookup`, {}, token))).toEqual([403, 'M_TERMS_NOT_SIGNED']);
    expect((await accept(['https://id.test/terms-2.0-fr.html'], token)).json).toEqual({});
    expect(code(await asks())).toEqual([403, 'M_TERMS_NOT_SIGNED']);
    const again = ['https://id.test/privacy-1.2-en.html', 'https://id.test/privacy-1.2-en.html'];
    expect((await accept(again, token)).json).toEqual({});
    expect((await asks()).status).toBe(200);
    expect((await accept([], token)).json).toEqual({});
  });

  test('need not be accepted by users of homeservers that are trusted, who see them all the same', async () => {
    const trusting = await startTestServer({
      engine,
      sections: {
        general: `terms.path = ${file}\nterms.trusted_homeservers = other.test, Trusted.test:8448`,
      },
    });
    const root = `${trusting.url}/_matrix/identity/v2`;
    const asks = async (user: string) =>
      (await get(`${root}/account`, {}, await trusting.token(user))).status;
    expect(await asks('@ada:TRUSTED.test:8448')).toBe(200);
    expect(await asks('@ada:other.test')).toBe(200);
    expect(await asks('@ada:trusted.test')).toBe(403);
    expect(await asks('@ada:sub.other.test')).toBe(403);
    expect((await get(`${root}/terms`)).json.policies).toHaveProperty('terms_of_service');
    await trusting.stop();
  });

  test('that are wrong, or accepted by nobody, change nothing', async () => {
    const token = await server.token('@grace:sample.test');
    expect(code(await accept(['https://id.test/terms-2.0-fr.html']))).toEqual([
      401,
      'M_UNAUTHORIZED',
    ]);
    const unknown = ['https://id.test/privacy-1.2-en.html', 'https://evil.test/'];
    expect(code(await accept(unknown, token))).toEqual([400, 'M_UNKNOWN']);
    for (const wrong of ['https://id.test/terms-2.0-fr.html', 1, {}, [1], [[]]]) {
      expect(code(await accept(wrong, token))).toEqual([400, 'M_INVALID_PARAM']);
    }
    expect(code(await postJson(`${v2()}/terms`, {}, token))).toEqual([400, 'M_MISSING_PARAMS']);
    expect(
      await server.database.execute('select url from accepted_terms_urls where user_id = ?', [
        '@grace:sample.test',
      ]),
    ).toEqual([]);
  });

  test('a user can log out without accepting them', async () => {
    const token = await server.token('@alan:sample.test');
    expect((await postJson(`${v2()}/account/logout`, {}, token)).json).toEqual({});
  });

  test('of a new master version ask again, once they are read again', async () => {
    const token = await server.token('@ada:sample.test');
    expect((await get(`${v2()}/account`, {}, token)).status).toBe(200);
    await writeFile(file, 'master_version: 3\n');
    await server.app.reload();
    expect(server.logs.join('')).toContain('master_version must be text');
    expect((await get(`${v2()}/account`, {}, token)).status).toBe(200);
    await writeFile(file, terms('3.0'));
    await server.app.reload();
    expect(code(await get(`${v2()}/account`, {}, token))).toEqual([403, 'M_TERMS_NOT_SIGNED']);
    expect((await accept([], token)).json).toEqual({});
    expect((await get(`${v2()}/account`, {}, token)).status).toBe(200);
  });
});

test('without a file there is nothing to accept', async () => {
  const server = await startTestServer();
  const v2 = `${server.url}/_matrix/identity/v2`;
  expect((await get(`${v2}/terms`)).json).toEqual({ policies: {} });
  const token = await server.token('@ada:sample.test');
  expect((await get(`${v2}/account`, {}, token)).status).toBe(200);
  const unknown = await postJson(`${v2}/terms`, { user_accepts: ['https://a.test/'] }, token);
  expect(code(unknown)).toEqual([400, 'M_UNKNOWN']);
  await server.stop();
});

describe('a terms file with a fault is refused, and the place named', () => {
  const problems = async (text: string): Promise<readonly string[]> => {
    await writeFile(file, text);
    const error = await loadTerms(file).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    if (!(error instanceof ConfigError)) throw new Error(`accepted: ${text}`);
    return error.problems;
  };

  test.each([
    ['', ['line 1: the file must be a map with master_version and docs']],
    ['- a\n', ['line 1: the file must be a map with master_version and docs']],
    ['master_version: "1"\n', ['line 1: docs is missing']],
    [
      'master_version: 1.0\ndocs: {}\n',
      ['line 1: master_version must be text; write it in quotes'],
    ],
    ['master_version: "1"\ndocs:\n  a: b\n', ['line 3: docs.a must be a map']],
    [
      'master_version: "1"\ndocs:\n  a:\n    version: "1"\n    langs: {}\n',
      ['line 5: docs.a.langs must have at least one language'],
    ],
    [
      'master_version: "1"\ndocs:\n  a:\n    version: [2]\n    langs:\n      en:\n        url: ftp://a\n',
      [
        'line 7: docs.a.langs.en.name is missing',
        'line 7: docs.a.langs.en.url must be an http:// or https:// URL',
        'line 4: docs.a.version must be text; write it in quotes',
      ],
    ],
    [
      'master_version: "1"\ndocs:\n  a:\n    version: "1"\n    langs:\n      version: {name: a, url: "https://a.test"}\n',
      ['line 6: docs.a.langs.version cannot be the name of a language'],
    ],
  ])('%j', async (text, expected) => {
    expect(await problems(text)).toEqual(expected);
  });

  test.each([
    [
      'master_version: "1\\0"\ndocs: {}\n',
      'line 1: master_version must not hold control characters',
    ],
    [
      'master_version: "\\uD800"\ndocs: {}\n',
      'line 1: master_version must not hold control characters',
    ],
    [`# ${'x'.repeat(300_000)}\n`, 'is longer than 262144 characters'],
    [`a: &a [x, x, x]\nb: &b [${'*a,'.repeat(99)}]\nc: [${'*b,'.repeat(99)}]\n`, 'alias count'],
  ])('%.40j, which no text can be', async (text, expected) => {
    expect((await problems(text)).join()).toContain(expected);
  });

  test('members taken over from another map, or by name, are no fault', async () => {
    const langs = '{en: {name: A, url: "https://a.test/"}}';
    await writeFile(
      file,
      `x: &x {version: "1"}\nl: &l ${langs}\nmaster_version: "1"\ndocs: {a: {<<: *x, langs: *l}, __proto__: {<<: *x, langs: ${langs}}}\n`,
    );
    const document = { version: '1', languages: { en: { name: 'A', url: 'https://a.test/' } } };
    const terms = await loadTerms(file);
    expect(Object.entries(terms?.documents ?? {})).toEqual([
      ['a', document],
      ['__proto__', document],
    ]);
  });

  test('a version that is a number is taken as it is written', async () => {
    const langs = '{en: {name: A, url: "https://a.test/"}}';
    await writeFile(
      file,
      `master_version: "1"\ndocs:\n  a: {version: 2.0, langs: ${langs}}\n  b: {version: 010, langs: ${langs}}\n`,
    );
    const documents = Object.values((await loadTerms(file))?.documents ?? {});
    expect(documents.map(({ version }) => version)).toEqual(['2.0', '010']);
  });

  test('YAML that is not one', async () => {
    expect((await problems('master_version: "1\n'))[0]).toMatch(/line 1|line 2/);
  });

  test('one that is not there', async () => {
    await expect(loadTerms(path.join(folder.path, 'none.yaml'))).rejects.toThrow(
      /terms\.path: it cannot be read/,
    );
  });
});
