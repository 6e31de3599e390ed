import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generate } from 'selfsigned';
import { temporaryFolder } from './databases.ts';

export interface TestCa {
  /** Path of the authority's certificate. */
  readonly file: string;
  readonly pem: string;
  /** A certificate and its key, PEM, for a host name or address, and for further ones. */
  issue(name: string, ...further: string[]): Promise<{ cert: string; key: string }>;
  /** One that is past its time. */
  issueExpired(name: string): Promise<{ cert: string; key: string }>;
  /** One that is valid from now on. */
  issueFresh(...names: string[]): Promise<{ cert: string; key: string }>;
  remove(): Promise<void>;
}

const KEY = { keyType: 'ec', curve: 'P-256', algorithm: 'sha256' } as const;

const named = (name: string) => [{ name: 'commonName', value: name }];

/** Issued a day ago: also valid for one whose clock is behind. */
const lately = () => ({ notBeforeDate: new Date(Date.now() - 24 * 60 * 60 * 1000) });

/** A certificate authority of a test's own. */
export async function createTestCa(): Promise<TestCa> {
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'ca.pem');
  const authority = await generate(named('Test CA'), {
    ...KEY,
    ...lately(),
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, critical: true },
    ],
  });
  await writeFile(file, authority.cert);
  async function issue(
    names: readonly string[],
    period: { notBeforeDate?: Date; notAfterDate?: Date },
  ) {
    const altNames = names.map((entry) =>
      /^[\d.]+$|:/.test(entry)
        ? ({ type: 7, ip: entry } as const)
        : ({ type: 2, value: entry } as const),
    );
    const issued = await generate(named(names[0] ?? ''), {
      ...KEY,
      ...period,
      ca: { key: authority.private, cert: authority.cert },
      extensions: [
        { name: 'basicConstraints', cA: false },
        { name: 'subjectAltName', altNames },
      ],
    });
    return { cert: issued.cert, key: issued.private };
  }

  return {
    file,
    pem: authority.cert,
    issue: (...names) => issue(names, lately()),
    issueFresh: (...names) => issue(names, {}),
    issueExpired: (name) =>
      issue([name], {
        notBeforeDate: new Date('2020-01-01T00:00:00Z'),
        notAfterDate: new Date('2020-02-01T00:00:00Z'),
      }),
    remove: folder.remove,
  };
}
