import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import fc from 'fast-check';
import { simpleParser } from 'mailparser';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { encodeHeaderText } from '../../src/delivery/mail/header-text.ts';
import { asciiDomain, renderMessage } from '../../src/delivery/mail/message.ts';
import { pageRenderer } from '../../src/delivery/pages.ts';
import { createBrands } from '../../src/delivery/templates/brands.ts';
import { compileTemplate } from '../../src/delivery/templates/template.ts';
import { createCatalogues } from '../../src/delivery/templates/words.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { temporaryFolder } from '../support/databases.ts';
import { TestClock } from '../support/server.ts';
import { WORDS } from '../support/words.ts';

const render = (syntax: 'jinja' | 'percent', text: string, values: Record<string, string>) =>
  compileTemplate({ file: 'x', text, syntax })(values, WORDS);

describe('Python’s %-format', () => {
  test.each([
    ['%(a)s %(b)s!', 'A <&>"\' !'],
    ['100%% %(a)s%%', '100% A <&>"\'%'],
    ['%(a_forhtml)s', 'A &lt;&amp;&gt;&#34;&#39;'],
    ['%(a_forurl)s', 'A%20%3C%26%3E%22%27'],
    ['%(nothing_forurl)s|%(constructor)s', '|'],
    ['{{ a }} $a', '{{ a }} $a'],
  ])('%s', (text, expected) => {
    expect(render('percent', text, { a: 'A <&>"\'', b: '' })).toBe(expected);
  });

  test('values are not templates', () => {
    expect(render('percent', '%(a)s', { a: '%(b)s%%', b: 'x' })).toBe('%(b)s%%');
  });

  test('a lone % is a fault, with its line', () => {
    expect(() => render('percent', 'a\nb 5% c\nd', {})).toThrow(
      'The template x cannot be used: line 2, "% c": a % must be written %%, or stand in %(name)s',
    );
  });
});

describe('Jinja 2', () => {
  test.each([
    ['{{ a }}', 'A &lt;&amp;&gt;&quot;&#39;~/'],
    ['{{ a|safe }}', 'A <&>"\'~/'],
    ['{{ a|urlencode }}', 'A%20%3C%26%3E%22%27~/'],
    ['{{ nothing }}{{ nothing|urlencode }}', ''],
    ['{% if a %}yes{% else %}no{% endif %}{% if nothing %}x{% endif %}', 'yes'],
    ['{# comment #}x\n', 'x'],
  ])('%s', (text, expected) => {
    expect(render('jinja', text, { a: 'A <&>"\'~/' })).toBe(expected);
  });

  test('values are not templates, and other files cannot be reached', () => {
    expect(render('jinja', '{{ a|safe }}', { a: '{{ 7*7 }}' })).toBe('{{ 7*7 }}');
    expect(() => render('jinja', '{% include "/etc/passwd" %}', {})).toThrow();
  });

  test('the parts of the stock ones can be included, in other colours', async () => {
    const own = `{%- set brand = {
      app: "Example Chat",
      light: { accent: "#7a1fa2", on_accent: "#ffffff" },
      dark: { accent: "#e2b6ff", on_accent: "#2c0540" }
    } -%}
    {%- include "page.html.j2" -%}`;
    const page = render('jinja', own, { outcome: 'proven', medium: 'email', server_name: 'x' });
    expect(page).toMatch(/^<!DOCTYPE html>\n<html lang="en" dir="ltr">/);
    expect(page).toContain('--accent: #7a1fa2');
    for (const other of ['../tokens.json', '../../package.json', 'page.html', './page.html.j2']) {
      expect(() => render('jinja', `{% include "${other}" %}`, {})).toThrow('template not found');
    }
  });

  test('a fault names file and line', () => {
    expect(() => render('jinja', 'a\n{% if %}', {})).toThrow(
      'The template x cannot be used: [Line 2, Column 7] unexpected token: %}',
    );
    expect(() => render('jinja', 'a\n{{ a|nonesuch }}', {})).toThrow(
      'The template x cannot be used: Error: filter not found: nonesuch',
    );
  });

  test('quoted-printable text is what it was, in short lines', async () => {
    const encode = compileTemplate({
      file: 'x',
      syntax: 'jinja',
      text: 'Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n{% filter quoted_printable %}{{ a|safe }}{% endfilter %}',
    });
    const line = fc
      .string({ unit: 'grapheme', maxLength: 300 })
      .map((text) => text.replace(/\p{Cc}/gu, ''));
    await fc.assert(
      fc.asyncProperty(fc.array(line), async (lines) => {
        const encoded = encode({ a: lines.join('\n') }, WORDS);
        for (const part of encoded.split('\r\n')) expect(part).toMatch(/^[\x20-\x7e]{0,76}$/);
        expect((await simpleParser(encoded, { skipTextToHtml: true })).text ?? '').toBe(
          lines.join('\n'),
        );
      }),
    );
  });
});

describe('brands', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  beforeEach(async () => {
    folder = await temporaryFolder();
  });
  afterEach(() => folder.remove());

  const put = async (name: string, text: string) => {
    const file = path.join(folder.path, name);
    await mkdir(path.dirname(file), { recursive: true });
    await writeFile(file, text);
    return file;
  };
  const brands = (more = {}) =>
    createBrands(
      { templatesPath: folder.path, defaultBrand: 'own', singleFiles: {}, ...more },
      { clock: systemClock, logger: pino({ level: 'silent' }) },
    );
  const found = async (brand: string | undefined, more = {}) =>
    (await brands(more).find('verification', brand)).render({ to: 'T' }, WORDS);

  test('a folder of its own first, .j2 before .eml, then what is built in', async () => {
    expect(await found(undefined)).toContain('Matrix');
    await put('own/verification_template.eml', '%(to)s percent');
    expect(await found(undefined)).toBe('T percent');
    await put('own/verification_template.eml.j2', '{{ to }} jinja');
    expect(await found(undefined)).toBe('T jinja');
    expect(await found('nobody')).toBe('T jinja');
    expect(await found('vector-im')).toContain('Element');
    await put('vector-im/verification_template.eml', 'mine');
    expect(await found('vector-im')).toBe('mine');
    // A brand without this template shows the default's.
    await put('partial/invite_template.eml', 'x');
    expect(await found('partial')).toBe('T jinja');
  });

  test.each(['..', '.', '../own', 'own/../own', '/etc', 'a\0b', ''])(
    '%j is not a brand',
    async (brand) => {
      await put('own/verification_template.eml', 'default');
      await put('verification_template.eml', 'outside');
      expect(await found(brand)).toBe('default');
    },
  );

  test('an empty default brand is the folder of the brands itself', async () => {
    await put('verification_template.eml', '%(to)s here');
    expect(await found(undefined, { defaultBrand: '' })).toBe('T here');
    expect(await found('..', { defaultBrand: '' })).toBe('T here');
    expect(await found('vector-im', { defaultBrand: '' })).toContain('Element');
  });

  test('a deprecated single file wins over every brand', async () => {
    const file = await put('single.eml', '%(to)s single');
    expect(await found('vector-im', { singleFiles: { verification: file } })).toBe('T single');
  });

  test('a change of a file is seen at once', async () => {
    await put('own/verification_template.eml', 'one');
    expect(await found(undefined)).toBe('one');
    await put('own/verification_template.eml', 'two');
    expect(await found(undefined)).toBe('two');
  });

  test('faults are found before anyone needs the template', async () => {
    expect(await brands().check()).toEqual([]);
    const file = await put('own/invite_template.eml', 'a\n%b');
    const faults = [expect.stringContaining(`${file} cannot be used: line 2`)];
    expect(await brands().check()).toEqual(faults);
    const other = await put('other/migration_template.eml.j2', '{{ mxid|nonesuch }}');
    faults.push(expect.stringContaining(`${other} cannot be used: Error: filter not found`));
    expect(await brands().check()).toEqual(faults);
    await put('other/verification_template.eml.j2', '{{ to.split("@")[0] }}');
    await put('not a brand/verification_template.eml', '%');
    expect(await brands().check()).toEqual(faults);
  });

  test('pages escape what they show; only built-in ones get the strict policy', async () => {
    const render = (outcome: 'proven' | 'ask', more: object = {}) =>
      pageRenderer({
        brands: brands(),
        catalogues: createCatalogues(),
        defaultLanguage: 'en',
        logo: undefined,
        operator: { server_name: '<b>', operator_name: '"><script>' },
        operatorPolicy: 'lax',
      })({ brand: undefined, language: undefined, medium: 'email', outcome, root: '', ...more });
    const evil = { shownAddress: '<i>@x.test', action: 'a?"><b>' };
    const builtIn = await render('ask', evil);
    expect(builtIn.html).toContain('&lt;i&gt;@x.test');
    expect(builtIn.html).toContain('action="a?&quot;&gt;&lt;b&gt;"');
    expect(builtIn.html).not.toMatch(/https?:|<script|<link|<b>|<i>|%%/);
    expect(builtIn.contentSecurityPolicy).toMatch(/^default-src 'none'; style-src 'sha256-[^']+';/);
    await put('own/verify_response_template.html', '<p lang="%(lang)s">%(message)s 100%%</p>');
    expect(await render('proven', { language: 'fr' })).toEqual({
      html: '<p lang="fr">Votre adresse e-mail est confirmée. Vous pouvez fermer cette page et revenir à votre application. 100%</p>',
      contentSecurityPolicy: 'lax',
    });
    await put('own/confirm_template.html', '<a href="%(action)s">%(server_name)s</a>');
    expect((await render('ask', evil)).html).toBe('<a href="a?&#34;&gt;&lt;b&gt;">&lt;b&gt;</a>');
  });
});

const deps = { clock: new TestClock(), random: secureRandom };
const options = {
  from: 'Cognomen <a@id.test>',
  to: 'ada@sample.test',
  messageId: '<1@id.test>',
  values: {},
};

describe('messages', () => {
  test('hold the values every template can count on', () => {
    const template = compileTemplate({
      file: 'x',
      syntax: 'percent',
      text: '%(messageid)s\n%(date)s\n%(from)s\r\n%(to)s\r%(multipart_boundary)s\n',
    });
    const lines = renderMessage((values) => template(values, WORDS), options, deps)
      .toString()
      .split('\r\n');
    expect(lines).toEqual([
      '<1@id.test>',
      'Thu, 01 Jan 2026 00:00:00 +0000',
      'Cognomen <a@id.test>',
      'ada@sample.test',
      expect.stringMatching(/^=_[A-Za-z0-9]{32}$/),
      '',
    ]);
  });

  test.each([
    ['a@b.test', 'a@b.test'],
    ['<a@b.test>', '<a@b.test>'],
    ['My Server <a@b.test>', 'My Server <a@b.test>'],
    ['Gr\u00fc\u00dfe <a@b.test>', '=?utf-8?B?R3LDvMOfZQ==?= <a@b.test>'],
    ['"Gr\u00fc\u00dfe" <a@b.test>', '=?utf-8?B?R3LDvMOfZQ==?= <a@b.test>'],
    ['=?utf-8?B?R3LDvMOfZQ==?= <a@b.test>', '=?utf-8?B?R3LDvMOfZQ==?= <a@b.test>'],
    ['Sample, Inc. (Test) <a@b.test>', '"Sample, Inc. (Test)" <a@b.test>'],
    ['"Sample, \\"Inc\\"" <a@b.test>', '"Sample, \\"Inc\\"" <a@b.test>'],
    ['Me <me@m\u00fcnch.test>', 'Me <me@xn--mnch-0ra.test>'],
    ['me@m\u00fcnch.test', 'me@xn--mnch-0ra.test'],
  ])('from %s say so as %s', (from, header) => {
    const template = compileTemplate({ file: 'x', syntax: 'percent', text: '%(from)s' });
    expect(
      renderMessage((values) => template(values, WORDS), { ...options, from }, deps).toString(),
    ).toBe(header);
  });

  test('no value can begin a header, a line or a part', () => {
    const template = compileTemplate({
      file: 'x',
      syntax: 'percent',
      text: 'Subject: %(evil)s\n\nx\n',
    });
    const evil = 'x\r\nBcc: eve@evil.test\n\n--b\u0085\u2028y\0';
    const text = renderMessage(
      (values) => template(values, WORDS),
      { ...options, values: { evil } },
      deps,
    ).toString();
    expect(text).toBe('Subject: x Bcc: eve@evil.test --b y \r\n\r\nx\r\n');
  });

  test.each([
    ['plain', 'plain'],
    ['Grüße', '=?utf-8?B?R3LDvMOfZQ==?='],
    ['=?utf-8?q?a?=', '=?utf-8?B?PT91dGYtOD9xP2E/PQ==?='],
  ])('header text %s becomes %s', (text, encoded) => {
    expect(encodeHeaderText(text)).toBe(encoded);
  });

  test('long header text is cut between characters', async () => {
    const text = 'Ünïcödé 😀 '.repeat(10).trim();
    const encoded = encodeHeaderText(text);
    for (const word of encoded.split(' ')) expect(word.length).toBeLessThanOrEqual(75);
    const parsed = await simpleParser(`Subject: ${encoded.replaceAll(' ', '\r\n ')}\r\n\r\n`);
    expect(parsed.subject).toBe(text);
  });

  test.each([
    ['a@B.test', 'a@B.test'],
    ['a@Münch.test', 'a@xn--mnch-0ra.test'],
    ['ü@münch.test', 'ü@münch.test'],
  ])('%s is delivered to as %s', (address, ascii) => {
    expect(asciiDomain(address)).toBe(ascii);
  });
});
