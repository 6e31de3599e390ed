import type { StoredLocalAssociation } from '../associations.ts';

/** An association of this server's own in the table that lookups read. */
export interface OwnAssociation {
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly mxid: string;
  readonly ts: number;
  readonly notBefore: number;
  readonly notAfter: number;
  /** Its entry in the log. */
  readonly originId: number;
}

/** This server's own associations, for putting in order what stands under another spelling of its name. */
export interface OwnAssociationStore {
  /** The origins that are this server's name in another case: one probe for each origin there is. */
  otherNames(serverName: string): Promise<string[]>;
  count(originServer: string): Promise<number>;
  /** The first of that origin. */
  first(originServer: string, limit: number): Promise<OwnAssociation[]>;
  /** Those of that origin that belong to these entries of the log. */
  ofEntries(originServer: string, ids: readonly number[]): Promise<OwnAssociation[]>;
  /** Those of that origin that lookups find by these folded addresses. */
  ofAddresses(originServer: string, addresses: readonly string[]): Promise<OwnAssociation[]>;
  /** Which of these addresses, exactly as spelt, the log says anything of: `medium address`. */
  inLog(addresses: readonly string[]): Promise<ReadonlySet<string>>;
  rename(id: number, originServer: string, signedJson: string): Promise<void>;
  delete(ids: readonly number[]): Promise<void>;
  /** The entries of the log of each of these folded email addresses, however spelt there. */
  entriesOf(
    originServer: string,
    addresses: readonly string[],
  ): Promise<ReadonlyMap<string, StoredLocalAssociation[]>>;
}
