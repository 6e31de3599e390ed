import type { Medium } from '../../model/addresses.ts';

/** Something that became of a message, or of its address after it. Nothing of a message's text is in it. */
export interface MessageEvent {
  readonly medium: Medium;
  /** Folded. */
  readonly address: string;
  readonly event: string;
  /** When it first came about, and last, of those that are added up. */
  readonly first: number;
  readonly last: number;
  readonly times: number;
  /** The user in it. */
  readonly mxid: string | undefined;
  readonly details: Readonly<Record<string, string | number>>;
}

export interface NewMessageEvent extends MessageEvent {
  /** Those of the same key are added up; undefined: it stands by itself. */
  readonly same: string | undefined;
  /** Whether it is kept only where something of its address is. */
  readonly follows: boolean;
}

/** What is remembered of messages, so many events of an address at most. */
export interface MessageEventStore {
  /** @param events no key may be in it twice */
  add(events: readonly NewMessageEvent[]): Promise<void>;
  /** Of a folded address, in the order in which they came about. */
  of(medium: Medium, address: string): Promise<MessageEvent[]>;
  /** The newest of all, each with its id; those before that id where one is given. */
  newest(before: number | undefined, limit: number): Promise<(MessageEvent & { id: number })[]>;
  /** How many there are of each kind since then, among so many of the newest of all. */
  recent(medium: Medium, since: number, among: number): Promise<Map<string, number>>;
  /**
   * Deletes, of the oldest, those that came about before then, and what is more than so many in all.
   * @returns how many
   */
  deleteOld(before: number, mostInAll: number, limit: number): Promise<number>;
}
