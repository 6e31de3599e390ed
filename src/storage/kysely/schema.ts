import type { Generated } from 'kysely';
import type { HistoryRow } from '../stores/history.ts';
import type { OwnerTables } from './owner-tables.ts';

/**
 * The tables as Kysely types. Those without a prefix are Sydent's, with its names and meaning, on both
 * engines; the `cognomen_` ones are ours, and Sydent neither knows nor needs them.
 */
export interface Schema extends OwnerTables {
  threepid_validation_sessions: {
    id: number;
    medium: string;
    /** As the user typed it. */
    address: string;
    clientSecret: string;
    validated: number | null;
    mtime: number;
  };
  threepid_token_auths: {
    id: Generated<number>;
    validationSession: number;
    /** The newest code only; all of them are in cognomen_session_codes. */
    token: string;
    sendAttemptNumber: number;
  };
  local_threepid_associations: {
    id: Generated<number>;
    medium: string;
    address: string;
    mxid: string | null;
    ts: number | null;
    notBefore: number | null;
    notAfter: number | null;
    lookup_hash: string | null;
  };
  global_threepid_associations: {
    id: Generated<number>;
    medium: string;
    address: string;
    mxid: string;
    ts: number;
    notBefore: number;
    notAfter: number;
    originServer: string;
    originId: number;
    sgAssoc: string;
    lookup_hash: string | null;
  };
  invite_tokens: {
    id: Generated<number>;
    medium: string;
    /** Folded; an old Sydent stored it as it came. */
    address: string;
    room_id: string;
    sender: string;
    token: string;
    /** Seconds, as in the next. */
    received_ts: number | null;
    /** Null until the invitation is delivered. */
    sent_ts: number | null;
  };
  /** Times in seconds. */
  ephemeral_public_keys: {
    id: Generated<number>;
    public_key: string;
    verify_count: number | null;
    persistence_ts: number | null;
  };
  hashing_metadata: {
    id: number;
    lookup_pepper: string | null;
  };
  accounts: {
    user_id: string;
    created_ts: number;
    /** The `master_version` of the terms whose documents they accepted, all of them. */
    consent_version: string | null;
  };
  tokens: {
    /** Hashed, with a prefix that no token has; what Sydent wrote is the token itself. */
    token: string;
    user_id: string;
  };
  accepted_terms_urls: {
    user_id: string;
    url: string;
  };
  peers: {
    id: Generated<number>;
    name: string;
    port: number | null;
    lastSentVersion: number | null;
    lastPokeSucceededAt: number | null;
    active: number;
  };
  peer_pubkeys: {
    id: Generated<number>;
    peername: string;
    alg: string;
    key: string;
  };
  /** What a session has beside Sydent's row. */
  cognomen_sessions: {
    session_id: number;
    medium: string;
    /** Folded. */
    address: string;
    /** Null once another session took this one's place. */
    client_secret: string | null;
    next_link: string | null;
    sent_attempt: number;
    sending_attempt: number | null;
    sending_until: number | null;
    sending_by: string | null;
    sending_code: string | null;
    sending_code_ts: number | null;
    guesses_before: number | null;
    wrong_guesses: number;
    binds: Generated<number>;
  };
  cognomen_session_codes: {
    session_id: number;
    code: string;
    created_ts: number;
  };
  /** Every spelling and hash by which an association is found. */
  cognomen_lookup_keys: {
    global_id: number;
    spelling: string;
    lookup_hash: string;
  };
  /** The same hash by each pepper that is not the one in `hashing_metadata`, by its number. */
  cognomen_rotated_keys: {
    pepper: number;
    lookup_hash: string;
    global_id: number;
  };
  /** When a token, as stored, was last seen. */
  cognomen_tokens: {
    token: string;
    last_used_ts: number;
  };
  /** By which the log names client networks; weeks are counted from 1970. */
  cognomen_network_keys: {
    week: number;
    key: string;
  };
  cognomen_state: {
    key: string;
    value: string;
  };
  /** The ephemeral keys of our own invitations; Sydent's are in its table only. */
  cognomen_invite_keys: {
    public_key: string;
    token: string;
    /** Null while the invitation is pending. */
    valid_until: number | null;
    /** The folded address, as in invite_tokens; this and what follows is null in older rows. */
    address: string | null;
    sender: string | null;
    /** 1 when nobody proved to be the sender. */
    is_v1: number | null;
    received_ts: number | null;
  };
  /** The mails of pending invitations. */
  cognomen_invite_mails: {
    token: string;
    /** JSON, without what is secret. */
    shown: string;
    /** The rest, encrypted. */
    sealed: string;
    /** When it was sent once more, as JSON. */
    resent: Generated<string>;
  };
  /** What binds owe to homeservers. */
  cognomen_notices: {
    id: number;
    server_name: string;
    /** Of the association. */
    address: string;
    /** The association as JSON, not signed yet. */
    association: string;
    created_ts: number;
    attempts: Generated<number>;
    next_attempt_ts: number;
    /** When the homeserver first refused it, or the notice that it was part of. */
    refused_ts: number | null;
  };
  /** The invitations that a notice carries; each is in one notice at most. */
  cognomen_notice_invites: {
    token: string;
    notice_id: number;
  };
  /** The homeservers that something is owed to. */
  cognomen_notice_servers: {
    server_name: string;
    /** Sessions of deliveries that failed since the last success. */
    failures: number;
    /** 1 while it fails, or is owed nothing but what it refused. */
    troubled: number;
    /** When it may be claimed: its turn, or when the claim of a dead process lapses. */
    due_ts: number;
    claimed_by: string | null;
    /** Before that it is offered nothing again that it refused. */
    refused_due_ts: Generated<number>;
    /** Why it did not take something the last time, and when that was. */
    failure: string | null;
    failed_ts: number | null;
  };
  /** What a peer has beside Sydent's row. */
  cognomen_peers: {
    name: string;
    url: string | null;
    last_failure: string | null;
    last_failure_ts: number | null;
    /** The process that pushes to it, until then. */
    claimed_by: string | null;
    claimed_until: number | null;
  };
  /** Own associations that a peer does not take. */
  cognomen_refused_associations: {
    peer: string;
    association_id: number;
    since_ts: number;
  };
  /** Who was erased. */
  cognomen_erased: {
    /** Keyed, of the address or user id. */
    name_hash: string;
    erased_ts: number;
    /** The entry of the log by which peers learn of it; null once it is gone. */
    log_id: number | null;
  };
  /** Mailboxes to which no invitations are mailed. */
  cognomen_invitation_refusals: {
    /** Keyed. */
    mailbox_hash: string;
    refused_ts: number;
  };
  /** Deletions peers sent lately: what they had said before may still be on its way. */
  cognomen_received_deletions: {
    origin_server: string;
    medium: string;
    address: string;
    origin_id: number;
    received_ts: number;
  };
  /** How much there was of what, hour by hour. */
  cognomen_history: HistoryRow;
  /** What became of messages. */
  cognomen_message_events: {
    id: Generated<number>;
    medium: string;
    /** Folded. */
    address: string;
    event: string;
    first_ts: number;
    last_ts: number;
    times: number;
    /** The user in it. */
    mxid: string | null;
    /** JSON. */
    details: string;
    /** Those of the same key are one row. */
    same: string | null;
  };
  /** Tokens of the admin API, hashed. */
  cognomen_admin_tokens: {
    id: string;
    hash: string;
    role: string;
    name: string;
    created_ts: number;
    expires_ts: number;
    last_used_ts: number | null;
  };
  /** What operators did, and whom they looked at. */
  cognomen_audit: {
    id: Generated<number>;
    at_ts: number;
    who: string;
    via: string;
    origin: string;
    action: string;
    about: string | null;
    /** JSON. */
    details: string;
    outcome: string;
  };
}
