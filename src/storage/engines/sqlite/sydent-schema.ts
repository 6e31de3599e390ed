/** Sydent's schema, as its version 2.7 has it. */
export const SYDENT_USER_VERSION = 5;

/** By table; `not exists` lets the same statements complete an older file. */
export const TABLES = {
  threepid_validation_sessions: `
    create table if not exists threepid_validation_sessions (
      id integer primary key,
      medium varchar(16) not null,
      address varchar(256) not null,
      clientSecret varchar(32) not null,
      validated int default 0,
      mtime bigint not null
    )`,
  threepid_token_auths: `
    create table if not exists threepid_token_auths (
      id integer primary key,
      validationSession integer not null,
      token varchar(32) not null,
      sendAttemptNumber integer not null,
      foreign key (validationSession) references threepid_validations(id)
    )`,
  local_threepid_associations: `
    create table if not exists local_threepid_associations (
      id integer primary key autoincrement,
      medium varchar(16) not null,
      address varchar(256) not null,
      mxid varchar(256),
      ts integer,
      notBefore bigint,
      notAfter bigint,
      lookup_hash varchar(256)
    )`,
  global_threepid_associations: `
    create table if not exists global_threepid_associations (
      id integer primary key autoincrement,
      medium varchar(16) not null,
      address varchar(256) not null,
      mxid varchar(256) not null,
      ts integer not null,
      notBefore bigint not null,
      notAfter integer not null,
      originServer varchar(255) not null,
      originId integer not null,
      sgAssoc text not null,
      lookup_hash varchar(256)
    )`,
  invite_tokens: `
    create table if not exists invite_tokens (
      id integer primary key,
      medium varchar(16) not null,
      address varchar(256) not null,
      room_id varchar(256) not null,
      sender varchar(256) not null,
      token varchar(256) not null,
      received_ts bigint,
      sent_ts bigint
    )`,
  ephemeral_public_keys: `
    create table if not exists ephemeral_public_keys (
      id integer primary key,
      public_key varchar(256) not null,
      verify_count bigint default 0,
      persistence_ts bigint
    )`,
  peers: `
    create table if not exists peers (
      id integer primary key,
      name varchar(255) not null,
      port integer default null,
      lastSentVersion integer,
      lastPokeSucceededAt integer,
      active integer not null default 0
    )`,
  peer_pubkeys: `
    create table if not exists peer_pubkeys (
      id integer primary key,
      peername varchar(255) not null,
      alg varchar(16) not null,
      key text not null,
      foreign key (peername) references peers (name)
    )`,
  hashing_metadata: `
    create table if not exists hashing_metadata (
      id integer primary key,
      lookup_pepper varchar(256)
    )`,
  accounts: `
    create table if not exists accounts (
      user_id text not null primary key,
      created_ts bigint not null,
      consent_version text
    )`,
  tokens: `
    create table if not exists tokens (
      token text not null primary key,
      user_id text not null
    )`,
  accepted_terms_urls: `
    create table if not exists accepted_terms_urls (
      user_id text not null,
      url text not null
    )`,
} as const;

export type SydentTable = keyof typeof TABLES;

export interface SydentIndex {
  readonly name: string;
  readonly table: SydentTable;
  /** As `pragma index_xinfo` and a little reading of SQL tell them; `lower(address)` is an expression. */
  readonly columns: readonly string[];
  readonly unique?: boolean;
}

export const INDEXES: readonly SydentIndex[] = [
  {
    name: 'threepid_validation_sessions_mtime',
    table: 'threepid_validation_sessions',
    columns: ['mtime'],
  },
  {
    name: 'local_threepid_medium_address',
    table: 'local_threepid_associations',
    columns: ['medium', 'address'],
    unique: true,
  },
  {
    name: 'global_threepid_medium_address',
    table: 'global_threepid_associations',
    columns: ['medium', 'address'],
  },
  {
    name: 'global_threepid_medium_lower_address',
    table: 'global_threepid_associations',
    columns: ['medium', 'lower(address)'],
  },
  {
    name: 'global_threepid_originServer_originId',
    table: 'global_threepid_associations',
    columns: ['originServer', 'originId'],
    unique: true,
  },
  {
    name: 'global_threepid_lookup_hash',
    table: 'global_threepid_associations',
    columns: ['lookup_hash'],
  },
  { name: 'invite_token_medium_address', table: 'invite_tokens', columns: ['medium', 'address'] },
  { name: 'invite_token_token', table: 'invite_tokens', columns: ['token'] },
  {
    name: 'ephemeral_public_keys_index',
    table: 'ephemeral_public_keys',
    columns: ['public_key'],
    unique: true,
  },
  { name: 'name', table: 'peers', columns: ['name'], unique: true },
  { name: 'peername_alg', table: 'peer_pubkeys', columns: ['peername', 'alg'], unique: true },
  {
    name: 'accepted_terms_urls_idx',
    table: 'accepted_terms_urls',
    columns: ['user_id', 'url'],
    unique: true,
  },
];
