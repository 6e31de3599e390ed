import type { Generated } from 'kysely';

/**
 * The tables as Kysely types. Those without a prefix are Sydent's, with its names and meaning, on both
 * engines; the `cognomen_` ones are ours, and Sydent neither knows nor needs them.
 */
export interface Schema {
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
    wrong_guesses: number;
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
  /** When a token, as stored, was last seen. */
  cognomen_tokens: {
    token: string;
    last_used_ts: number;
  };
  cognomen_state: {
    key: string;
    value: string;
  };
}
