import { statSync } from 'node:fs';
import type { Config } from './config.ts';
import type { ReadValue } from './reader.ts';
import { CRYPTO } from './sections/crypto.ts';
import { DB } from './sections/db.ts';
import { HTTP } from './sections/http.ts';

/** What others may do with a file: read, write, execute. */
export const RIGHTS_OF_OTHERS = 0o007;
const READ_BY_OTHERS = 0o004;

function isExposed(file: string): boolean {
  try {
    return (statSync(file).mode & READ_BY_OTHERS) !== 0;
  } catch {
    // Whoever needs it says what is wrong with it.
    return false;
  }
}

const warning = (key: { section: string; name: string }, file: string, secret: string) =>
  `[${key.section}] ${key.name}: every user of this machine can read ${file}, and with it ${secret}; take that right away (chmod o= ${file})`;

/** A warning, where every user of the machine can read this server's certificate file: its key is in it. */
export const exposedCertificate = (file: string): string[] =>
  isExposed(file)
    ? [warning(HTTP.replicationCertFile, file, 'the private key that peers know this server by')]
    : [];

/**
 * A warning for each file with the signing key, or with a secret alone, in it that every user of the machine can read.
 * @param values in force, with where they are from
 */
export function exposedFiles({ http, db, files }: Config, values: readonly ReadValue[]): string[] {
  const { replication } = http;
  const postgresKey = db.engine === 'postgres' ? db.sslKey : undefined;
  const secrets = values.flatMap(({ key, from }) =>
    key.secret && from !== undefined && isExposed(from) ? [{ key, from }] : [],
  );
  return [
    ...secrets
      .filter(({ key, from }) => key === CRYPTO.signingKey || !files.includes(from))
      .map(({ key, from }) =>
        warning(key, from, key === CRYPTO.signingKey ? 'the signing key' : 'what it says'),
      ),
    ...(replication === undefined ? [] : exposedCertificate(replication.certFile)),
    ...(postgresKey !== undefined && isExposed(postgresKey)
      ? [warning(DB.url, postgresKey, 'the private key that PostgreSQL knows this server by')]
      : []),
  ];
}
