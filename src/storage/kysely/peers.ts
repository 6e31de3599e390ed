import { sql } from 'kysely';
import type { Db, Engine } from '../engines/engine.ts';
import type { Peer, PeerStore } from '../stores/index.ts';

/** Sydent knows one key of a peer, under that name; we may know further ones, as `ed25519:NAME`. */
const ALGORITHM = 'ed25519';

export function peerStore(engine: Engine, db: Db): PeerStore {
  /** Writes what we keep beside Sydent's row. */
  async function upsert(name: string, values: Partial<Record<string, string | number | null>>) {
    await db
      .insertInto('cognomen_peers')
      .values({ name, ...values })
      .onConflict((conflict) => conflict.column('name').doUpdateSet(values))
      .execute();
  }

  async function list(names?: readonly string[]): Promise<Peer[]> {
    if (names?.length === 0) return [];
    const rows = await db
      .selectFrom('peers as peer')
      .leftJoin('cognomen_peers as extra', 'extra.name', 'peer.name')
      .$if(names !== undefined, (query) => query.where('peer.name', 'in', names ?? []))
      .select(['peer.name', 'peer.port', 'peer.active', 'peer.lastSentVersion'])
      .select(['peer.lastPokeSucceededAt', 'extra.url'])
      .select(['extra.last_failure', 'extra.last_failure_ts'])
      .orderBy('peer.name')
      .execute();
    if (rows.length === 0) return [];
    const keys = await db
      .selectFrom('peer_pubkeys')
      .select(['peername', 'alg', 'key'])
      .$if(names !== undefined, (query) => query.where('peername', 'in', names ?? []))
      .orderBy('alg')
      .execute();
    return rows.map(
      (row): Peer => ({
        name: row.name,
        port: row.port ?? undefined,
        url: row.url ?? undefined,
        active: row.active === 1,
        keys: keys
          .filter(({ peername, alg }) => peername === row.name && alg.split(':')[0] === ALGORITHM)
          .map(({ key }) => key),
        lastSent: row.lastSentVersion ?? undefined,
        lastSuccessAt: row.lastPokeSucceededAt ?? undefined,
        lastFailure:
          row.last_failure === null || row.last_failure_ts === null
            ? undefined
            : { at: row.last_failure_ts, reason: row.last_failure },
      }),
    );
  }

  return {
    list,

    async named(names) {
      if (names.length === 0) return [];
      const rows = await db
        .selectFrom('peers')
        .select('name')
        .where(({ fn }) => fn<string>('lower', ['name']), 'in', names)
        .execute();
      return list(rows.map(({ name }) => name));
    },

    async save({ name, port, url, keys }) {
      const updated = await db
        .updateTable('peers')
        .set({ port: port ?? null })
        .where('name', '=', name)
        .executeTakeFirst();
      const isNew = updated.numUpdatedRows === 0n;
      if (isNew) {
        await db
          .insertInto('peers')
          .values({ name, port: port ?? null, active: 1 })
          .execute();
      }
      await db.deleteFrom('peer_pubkeys').where('peername', '=', name).execute();
      await db
        .insertInto('peer_pubkeys')
        .values(
          keys.map((key, index) => ({
            peername: name,
            alg: index === 0 ? ALGORITHM : `${ALGORITHM}:${index + 1}`,
            key,
          })),
        )
        .execute();
      await upsert(name, { url: url ?? null });
      return isNew;
    },

    async remove(name) {
      await db.deleteFrom('peer_pubkeys').where('peername', '=', name).execute();
      await db.deleteFrom('cognomen_peers').where('name', '=', name).execute();
      await db.deleteFrom('cognomen_refused_associations').where('peer', '=', name).execute();
      const deleted = await db.deleteFrom('peers').where('name', '=', name).executeTakeFirst();
      return deleted.numDeletedRows > 0n;
    },

    async setActive(name, active) {
      const updated = await db
        .updateTable('peers')
        .set({ active: active ? 1 : 0 })
        .where('name', '=', name)
        .executeTakeFirst();
      return updated.numUpdatedRows > 0n;
    },

    async claim(name, { holder, now, until }) {
      // A SQLite file has one server.
      if (engine.name === 'sqlite') return true;
      const claim = { claimed_by: holder, claimed_until: until };
      const result = await db
        .insertInto('cognomen_peers')
        .values({ name, ...claim })
        .onConflict((conflict) =>
          conflict
            .column('name')
            .doUpdateSet(claim)
            .where((where) =>
              where.or([
                where('cognomen_peers.claimed_by', '=', holder),
                where('cognomen_peers.claimed_until', 'is', null),
                where('cognomen_peers.claimed_until', '<', now),
              ]),
            ),
        )
        .executeTakeFirst();
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n;
    },

    async release(name, holder) {
      if (engine.name === 'sqlite') return;
      await db
        .updateTable('cognomen_peers')
        .set({ claimed_until: null })
        .where('name', '=', name)
        .where('claimed_by', '=', holder)
        .execute();
    },

    async advance(name, from, to, now) {
      const updated = await db
        .updateTable('peers')
        .set({ lastSentVersion: to, lastPokeSucceededAt: now })
        .where('name', '=', name)
        .where('lastSentVersion', from === undefined ? 'is' : '=', from ?? null)
        .executeTakeFirst();
      if (updated.numUpdatedRows === 0n) return;
      await db
        .deleteFrom('cognomen_refused_associations')
        .where('peer', '=', name)
        .where('association_id', '<=', to)
        .execute();
    },

    noteFailure: (name, reason, now) =>
      upsert(name, { last_failure: reason, last_failure_ts: now }),

    async noteRefused(name, ids, now) {
      await db
        .insertInto('cognomen_refused_associations')
        .values(ids.map((id) => ({ peer: name, association_id: id, since_ts: now })))
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },

    refused: (name) =>
      db
        .selectFrom('cognomen_refused_associations')
        .select(['association_id as id', 'since_ts as since'])
        .where('peer', '=', name)
        .orderBy('association_id')
        .execute(),

    async countBacklog(name) {
      const { count } = await db
        .selectFrom('local_threepid_associations')
        .select(sql<number>`count(*)`.as('count'))
        .where(
          'id',
          '>',
          db
            .selectFrom('peers')
            .select(sql<number>`coalesce(${sql.ref('lastSentVersion')}, 0)`.as('id'))
            .where('name', '=', name),
        )
        .executeTakeFirstOrThrow();
      return count;
    },
  };
}
