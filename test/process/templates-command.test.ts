import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SAMPLES } from '../../src/delivery/templates/samples.ts';
import { LANGUAGES } from '../../src/model/languages.ts';
import { runCommand } from '../support/commands.ts';
import { temporaryFolder } from '../support/databases.ts';
import { renderConfig, SIGNING_KEY } from '../support/server.ts';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let config: string;
const out = () => path.join(folder.path, 'out');
const preview = (...more: string[]) =>
  runCommand('templates', 'preview', '--config', config, '--out', out(), ...more);
const shown = (name: string) => readFile(path.join(out(), name), 'utf8');

beforeEach(async () => {
  folder = await temporaryFolder();
  config = path.join(folder.path, 'sydent.conf');
  const general = `server.name = id.test\noperator.name = Example\ntemplates.path = ${folder.path}`;
  const crypto = `ed25519.signingkey = ${SIGNING_KEY}`;
  await writeFile(config, renderConfig({ general, crypto }));
});
afterEach(() => folder.remove());

test('each template is shown in each language, with what the configuration says', async () => {
  const { status, output } = await preview();
  const previews = SAMPLES.length * LANGUAGES.length;
  expect(output).toMatch(new RegExp(`^${previews} previews: .*index\\.html\\n$`));
  expect(status).toBe(0);
  expect((await readdir(out())).length).toBe(previews + 1);
  for (const language of LANGUAGES) {
    expect(await shown(`verification.${language}.html`)).toContain(`<html lang="${language}"`);
    expect(await shown(`proven.${language}.html`)).toContain('Example');
    expect(await shown('index.html')).toContain(`href="failed.${language}.html"`);
  }
  expect(await shown('invitation.fr.html')).toMatch(/^<!DOCTYPE html>.*vous invite à.*<\/html>$/s);
});

test('operators’ own are shown, too, and what cannot be used is said', async () => {
  const own = path.join(folder.path, 'own');
  await mkdir(own);
  const mail = path.join(own, 'verification_template.eml');
  await writeFile(mail, 'Subject: x\n\nA <b> %(token)s\n');
  expect((await preview('--brand', 'own', '--language', 'de')).status).toBe(0);
  expect(await shown('verification.de.html')).toContain('A &lt;b&gt; gNDq');
  await writeFile(mail, '%');
  await expect(preview('--brand', 'own', '--language', 'de')).rejects.toThrow(
    `The template ${mail} cannot be used`,
  );
});

test('what is not understood is said', async () => {
  expect((await preview('--language', 'xx')).status).toBe(2);
  expect((await runCommand('templates')).status).toBe(2);
});
