/** What is kept for owners of addresses: notices to them, and visits to their page. */
export interface OwnerTables {
  /** What owners of addresses are to be told by mail. */
  cognomen_owner_notices: {
    /** Folded. */
    address: string;
    /** Of all addresses by which mail arrives there. */
    mailbox: string;
    /** Whom the address led to before the last change. */
    mxid: string;
    /** To whom since; null: to nobody. */
    new_mxid: string | null;
    /** The homeserver that asked for it; null: an app, by a session. */
    homeserver: string | null;
    /** So many since the first that was not told. */
    changes: number;
    since_ts: number;
    changed_ts: number;
    attempts: number;
    /** When it is to be mailed; of one that a process is mailing, until when it may. */
    due_ts: number;
    claimed_by: string | null;
  };
  /** The latest of these mails to a mailbox, each in one of its places. */
  cognomen_owner_notice_mails: {
    mailbox: string;
    place: number;
    sent_ts: number;
  };
  /** Which addresses a browser has proven on the owners' page, or is about to. */
  cognomen_owner_sessions: {
    /** A hash of its cookie. */
    browser: string;
    medium: string;
    /** Folded. */
    address: string;
    sid: number;
    /** Null: not yet. */
    proven_ts: number | null;
    expires_ts: number;
  };
}
