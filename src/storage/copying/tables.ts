import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../engines/engine.ts';
import type { Schema } from '../kysely/schema.ts';

export type Value = string | number | null;
export type Row = Readonly<Record<string, Value>>;

/** A table as it is copied. */
export interface Table {
  readonly name: keyof Schema;
  /** What tells its rows apart: they are read in this order. */
  readonly key: readonly string[];
  /** Those that both databases have. */
  readonly columns: readonly string[];
}

/** Every table, and the columns that tell its rows apart. Those that lookups need come first, as they are the large ones. */
export const KEYS: Readonly<Record<keyof Schema, readonly string[]>> = {
  global_threepid_associations: ['id'],
  cognomen_lookup_keys: ['global_id', 'spelling'],
  cognomen_rotated_keys: ['pepper', 'lookup_hash', 'global_id'],
  local_threepid_associations: ['id'],
  threepid_validation_sessions: ['id'],
  threepid_token_auths: ['id'],
  invite_tokens: ['id'],
  ephemeral_public_keys: ['id'],
  hashing_metadata: ['id'],
  accounts: ['user_id'],
  tokens: ['token'],
  accepted_terms_urls: ['user_id', 'url'],
  peers: ['id'],
  peer_pubkeys: ['id'],
  cognomen_sessions: ['session_id'],
  cognomen_session_codes: ['session_id', 'code'],
  cognomen_tokens: ['token'],
  cognomen_network_keys: ['week'],
  cognomen_state: ['key'],
  cognomen_invite_keys: ['public_key'],
  cognomen_invite_mails: ['token'],
  cognomen_notices: ['id'],
  cognomen_notice_invites: ['token'],
  cognomen_notice_servers: ['server_name'],
  cognomen_peers: ['name'],
  cognomen_refused_associations: ['peer', 'association_id'],
  cognomen_erased: ['name_hash'],
  cognomen_invitation_refusals: ['mailbox_hash'],
  cognomen_owner_notices: ['address'],
  cognomen_owner_notice_mails: ['mailbox', 'place'],
  cognomen_owner_sessions: ['browser', 'medium', 'address'],
  cognomen_received_deletions: ['origin_server', 'medium', 'address'],
  cognomen_message_events: ['id'],
  cognomen_history: ['hour', 'metric'],
  cognomen_admin_tokens: ['id'],
  cognomen_audit: ['id'],
};

/** Those whose `id` the database makes. */
export const NUMBERED = [
  'threepid_token_auths',
  'local_threepid_associations',
  'global_threepid_associations',
  'invite_tokens',
  'ephemeral_public_keys',
  'peers',
  'peer_pubkeys',
  'cognomen_message_events',
  'cognomen_audit',
] as const satisfies readonly (keyof Schema)[];

/** The row of `cognomen_state` that says how far a copy is; it is there until the copy is done and found good. */
export const COPY_STATE = 'unfinished_copy';

const list = (columns: readonly string[]): RawBuilder<unknown> =>
  sql.join(columns.map((column) => sql.ref(column)));

/** Everything of the table but how far a copy is. */
const own = (name: string) =>
  name === 'cognomen_state' ? sql`${sql.ref('key')} <> ${COPY_STATE}` : sql`true`;

/** The rows behind that key, in its order. */
export async function rowsAfter(
  db: Db,
  { name, key, columns }: Table,
  after: readonly Value[] | undefined,
  limit: number,
): Promise<Row[]> {
  const behind = after === undefined ? sql`true` : sql`(${list(key)}) > (${sql.join([...after])})`;
  const { rows } = await sql<Row>`select ${list(columns)} from ${sql.table(name)}
    where ${own(name)} and ${behind} order by ${list(key)} limit ${limit}`.execute(db);
  return rows;
}

export async function countRows(db: Db, { name }: Table): Promise<number> {
  const { rows } = await sql<{
    count: number;
  }>`select count(*) as count from ${sql.table(name)} where ${own(name)}`.execute(db);
  return Number(rows[0]?.count ?? 0);
}

export async function insertRows(
  db: Db,
  { name, columns }: Table,
  rows: readonly Row[],
): Promise<void> {
  if (rows.length === 0) return;
  const values = rows.map(
    (row) => sql`(${sql.join(columns.map((column) => row[column] ?? null))})`,
  );
  await sql`insert into ${sql.table(name)} (${list(columns)}) values ${sql.join(values)}`.execute(
    db,
  );
}

/** The key of a row. */
export const keyOf = ({ key }: Table, row: Row): Value[] =>
  key.map((column) => row[column] ?? null);
