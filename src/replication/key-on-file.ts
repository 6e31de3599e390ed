import type { Logger } from 'pino';
import type { ServerKeys } from '../identity/server-keys.ts';
import type { StoredLocalAssociation } from '../storage/stores/index.ts';
import { type Batch, signBatch } from './batch.ts';
import type { PushAnswer } from './peer-client.ts';

/** Signs what one peer gets by the key that it has on file for this server, and finds out which that is. */
export interface KeyOnFile {
  sign(entries: readonly StoredLocalAssociation[]): Promise<Batch>;
  /**
   * Pushes the batch. Where the peer refuses all of it, it may know another of this server's keys: it gets the same by
   * each of them, and the first of which it takes anything is its key from then on.
   */
  push(batch: Batch, send: (body: string) => Promise<PushAnswer>): Promise<Pushed>;
}

/** What came of a push, and what was in it: signed by another key, fewer entries may fit. */
export interface Pushed {
  readonly answer: PushAnswer;
  readonly entries: Batch['entries'];
}

/** So many of the former keys are tried, the newest first. */
const MOST_TRIED = 8;

/** @param name the peer's */
export function createKeyOnFile(
  name: string,
  { keys, logger }: { readonly keys: ServerKeys; readonly logger: Logger },
): KeyOnFile {
  let known: string | undefined;

  /** The key that is the peer's as far as is known: until it refuses, the one that signs. */
  const presumed = () => keys.signingIds.find((id) => id === known) ?? keys.signingIds[0];

  const refusesAll = (answer: PushAnswer, { entries }: Batch) =>
    answer.kind === 'refused' && entries.every(({ id }) => answer.ids.includes(id));

  return {
    sign: (entries) => signBatch(entries, keys, presumed()),
    async push(batch, send) {
      const answer = await send(batch.body);
      const { entries } = batch;
      if (!refusesAll(answer, batch)) return { answer, entries };
      const others = keys.signingIds.filter((id) => id !== batch.signedBy).slice(0, MOST_TRIED);
      for (const id of others) {
        const again = await signBatch(entries, keys, id);
        const other = await send(again.body);
        if (other.kind === 'accepted' || (other.kind === 'refused' && !refusesAll(other, again))) {
          known = id;
          if (id !== keys.signingIds[0])
            logger.warn(
              { peer: name, key: id, signs: keys.signingIds[0] },
              'A peer has another key of this server on file than the one that signs; give it that one',
            );
          return { answer: other, entries: again.entries };
        }
        if (other.kind !== 'refused') return { answer: other, entries: again.entries };
      }
      return { answer, entries };
    },
  };
}
