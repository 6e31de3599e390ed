import { createHash } from 'node:crypto';
import pino from 'pino';
import { type Begun, beginRotation } from '../../src/identity/peppers/rotation.ts';
import { systemClock } from '../../src/platform/clock.ts';
import { secureRandom } from '../../src/platform/random.ts';
import type { DatabaseConfig } from '../../src/storage/database-config.ts';
import { openForCommand } from '../../src/storage/for-command.ts';
import type { TestDatabase } from './databases.ts';
import { get, postJson } from './http.ts';

export const hashOf = (address: string, pepper: string) =>
  createHash('sha256').update(`${address} email ${pepper}`).digest('base64url');

export interface HashDetails {
  readonly lookup_pepper: string;
  readonly alt_lookup_peppers?: readonly string[];
}

/** A server that is running, here or in a process of its own. */
interface Running {
  readonly url: string;
  readonly internalUrl: string;
}

export async function hashDetails({ url }: Pick<Running, 'url'>, token: string) {
  const { json } = await get(`${url}/_matrix/identity/v2/hash_details`, {}, token);
  return json as HashDetails;
}

/** Whose the address is by its hash: `nobody`, or, where it is refused, the answer. */
export async function lookUp(
  { url }: Pick<Running, 'url'>,
  token: string,
  address: string,
  pepper: string,
): Promise<unknown> {
  const hash = hashOf(address, pepper);
  const query = { algorithm: 'sha256', pepper, addresses: [hash] };
  const { status, json } = await postJson(`${url}/_matrix/identity/v2/lookup`, query, token);
  return status === 200 ? (json.mappings[hash] ?? 'nobody') : json;
}

const internally =
  (what: 'bind' | 'unbind') => async (server: Running, address: string, mxid: string) => {
    const body = { medium: 'email', address, mxid };
    const url = `${server.internalUrl}/_matrix/identity/internal/${what}`;
    const { status, text } = await postJson(url, body);
    if (status !== 200) throw new Error(`A ${what} was answered ${status}: ${text}`);
  };
export const bindEmail = internally('bind');
export const unbindEmail = internally('unbind');

/** Begins a rotation beside the servers. */
export async function beginBeside(db: DatabaseConfig, clock = systemClock): Promise<Begun> {
  const storage = await openForCommand(db, pino({ level: 'silent' }));
  try {
    return await beginRotation(storage, { clock, random: secureRandom });
  } finally {
    await storage.close();
  }
}

const NUMBERS = 'with recursive n(i) as (select 1 union all select i + 1 from n where i < ?)';

/** Associations of `user1@sample.test` and so on, as Sydent leaves them: to be taken over by the next start. */
export async function fillAsSydent(database: TestDatabase, count: number): Promise<void> {
  await database.execute(
    `${NUMBERS} insert into global_threepid_associations
      (medium, address, lookup_hash, mxid, ts, "notBefore", "notAfter", "originServer", "originId", "sgAssoc")
      select 'email', 'user' || i || '@sample.test', '', '@user' || i || ':sample.test', 1, 0, 9999999999999,
        'elsewhere.test', i, '{}' from n`,
    [count],
  );
}

/** How far the rotation is, in per cent; undefined when nobody has begun to work on one. */
export async function percentDone(database: TestDatabase): Promise<number | undefined> {
  const [row] = (await database.execute(
    "select value from cognomen_state where key = 'pepper_rotation'",
  )) as { value: string }[];
  return row && JSON.parse(row.value).percent;
}
