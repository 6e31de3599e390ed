import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { temporaryFolder } from './databases.ts';

const run = promisify(execFile);

export interface TestCa {
  /** Path of the authority's certificate. */
  readonly file: string;
  readonly pem: string;
  /** A certificate and its key, PEM, for a host name or address, and for further ones. */
  issue(name: string, ...further: string[]): Promise<{ cert: string; key: string }>;
  remove(): Promise<void>;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

/** A certificate authority of a test's own, made by openssl. */
export async function createTestCa(): Promise<TestCa> {
  const folder = await temporaryFolder();
  const at = (name: string) => path.join(folder.path, name);
  await run('openssl', [
    ...['req', '-x509', ...NEW_KEY, '-keyout', at('ca.key'), '-out', at('ca.pem')],
    ...['-days', '2', '-subj', '/CN=Test CA', '-addext', 'basicConstraints=critical,CA:TRUE'],
  ]);
  let issued = 0;
  return {
    file: at('ca.pem'),
    pem: await readFile(at('ca.pem'), 'utf8'),
    async issue(name, ...further) {
      const id = `leaf${++issued}`;
      const alternatives = [name, ...further].map(
        (entry) => `${/^[\d.]+$|:/.test(entry) ? 'IP' : 'DNS'}:${entry}`,
      );
      await run('openssl', [
        ...['req', ...NEW_KEY, '-keyout', at(`${id}.key`), '-out', at(`${id}.csr`)],
        ...['-subj', `/CN=${name}`],
      ]);
      await writeFile(at(`${id}.ext`), `subjectAltName=${alternatives.join(',')}\n`);
      await run('openssl', [
        ...['x509', '-req', '-in', at(`${id}.csr`), '-CA', at('ca.pem'), '-CAkey', at('ca.key')],
        ...['-CAcreateserial', '-days', '2', '-extfile', at(`${id}.ext`), '-out', at(`${id}.pem`)],
      ]);
      const [cert, key] = await Promise.all(
        [`${id}.pem`, `${id}.key`].map((file) => readFile(at(file), 'utf8')),
      );
      return { cert: cert ?? '', key: key ?? '' };
    },
    remove: folder.remove,
  };
}
