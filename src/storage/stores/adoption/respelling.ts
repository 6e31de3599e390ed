import type { UnindexedAssociation } from './adoption.ts';

/** Of a session or an invitation. */
export interface StoredAddress {
  readonly id: number;
  readonly address: string;
}

/**
 * Rows whose email address is beyond ASCII or has an A-label, as Sydent and earlier versions spelt these
 * otherwise: in the order of ids, from behind the given one on.
 */
export interface RespellingStore {
  /** By their keys, each as often as it has such. */
  associationsAfter(id: number, limit: number): Promise<UnindexedAssociation[]>;
  lastAssociation(): Promise<number>;
  /** Pending ones. */
  invitationsAfter(id: number, limit: number): Promise<StoredAddress[]>;
  lastInvitation(): Promise<number>;
  setInvitationAddress(id: number, address: string): Promise<void>;
  sessionsAfter(id: number, limit: number): Promise<StoredAddress[]>;
  /** One whose place another session has is not the current one any more. */
  setSessionAddress(id: number, address: string): Promise<void>;
}
