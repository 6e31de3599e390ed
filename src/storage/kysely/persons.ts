import { sql } from 'kysely';
import { homeserverOf } from '../../model/mxid.ts';
import type { Db, Engine } from '../engines/engine.ts';
import type { KeptRow, Person, PersonStore, Stores } from '../stores/index.ts';
import { invitationStore } from './invitations.ts';
import { overviewStore } from './overview.ts';
import { keyedAssociations } from './queries/keyed-associations.ts';
import { portions } from './queries/portions.ts';

/** A kind of thing that is kept of a person, in one table or several. */
interface Place {
  find(person: Person, limit: number): Promise<KeptRow[]>;
  /** So many at most; how many there were. */
  erase(person: Person, limit: number, now: number): Promise<number>;
}

/** Entries of a large table that are gone through at once. */
const PORTION = 2000;

const inMilliseconds = (seconds: number | null) => (seconds === null ? null : seconds * 1000);

/** For a text that stands somewhere in a column. */
const containing = (text: string) => `%${text.replace(/[\\%_]/g, '\\$&')}%`;

type Notices = Pick<Stores, 'onbindNotices' | 'ownerNotices'>;

export function personStore(engine: Engine, db: Db, notices: Notices): PersonStore {
  const invitations = invitationStore(engine, db);

  const sessions: Place = {
    async find(person, limit) {
      if (person.kind === 'user') return [];
      const rows = await db
        .selectFrom('cognomen_sessions as own')
        .leftJoin('threepid_validation_sessions as session', 'session.id', 'own.session_id')
        .select(['own.session_id', 'own.medium', 'own.address as folded', 'own.next_link'])
        .select(['session.address', 'session.validated', 'session.mtime'])
        .where('own.medium', '=', person.medium)
        .where('own.address', '=', person.address)
        .orderBy('own.session_id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        id: row.session_id,
        medium: row.medium,
        address: row.address ?? row.folded,
        validated: row.validated === 1,
        modified: row.mtime,
        next_link: row.next_link,
      }));
    },
    async erase(person, limit) {
      const ids = (await sessions.find(person, limit)).map(({ id }) => Number(id));
      for (const id of ids) {
        // Where Sydent has deleted its row already, ours goes all the same.
        await overviewStore(engine, db).deleteSession(id);
      }
      return ids.length;
    },
  };

  const invitesOf = (person: Person, limit: number) => {
    const all = db
      .selectFrom('invite_tokens as invite')
      .leftJoin('cognomen_invite_mails as mail', 'mail.token', 'invite.token')
      .select(['id', 'invite.token', 'medium', 'address', 'room_id', 'sender', 'received_ts'])
      .select(['sent_ts', 'mail.shown as mail'])
      .orderBy('id')
      .limit(limit);
    if (person.kind === 'user') return all.where('sender', '=', person.mxid).execute();
    return all
      .where('medium', '=', person.medium)
      .where((where) =>
        where.or([
          where('address', '=', person.address),
          where(where.fn<string>('lower', ['address']), '=', person.address),
        ]),
      )
      .execute();
  };
  const invites: Place = {
    async find(person, limit) {
      return (await invitesOf(person, limit)).map(({ token: _token, ...row }) => ({
        ...row,
        received_ts: inMilliseconds(row.received_ts),
        sent_ts: inMilliseconds(row.sent_ts),
      }));
    },
    async erase(person, limit, now) {
      const tokens = (await invitesOf(person, limit)).map(({ token }) => token);
      await invitations.remove(tokens, now);
      return tokens.length;
    },
  };

  const keysOf = (person: Person, limit: number) => {
    const [column, value] =
      person.kind === 'user'
        ? (['sender', person.mxid] as const)
        : (['address', person.address] as const);
    return db
      .selectFrom('cognomen_invite_keys')
      .select(['public_key', 'address', 'sender', 'received_ts'])
      .where(column, '=', value)
      .limit(limit)
      .execute();
  };
  /** Keys outlive their invitations: whose they were need not. */
  const inviteKeys: Place = {
    find: keysOf,
    async erase(person, limit) {
      const keys = (await keysOf(person, limit)).map((row) => row.public_key);
      if (keys.length === 0) return 0;
      await db
        .updateTable('cognomen_invite_keys')
        .set({ address: null, sender: null })
        .where(engine.isAnyOf('public_key', keys))
        .execute();
      return keys.length;
    },
  };

  async function noticesOf(person: Person, limit: number) {
    const all = db
      .selectFrom('cognomen_notices')
      .select(['id', 'server_name', 'association', 'created_ts', 'attempts'])
      .limit(limit);
    if (person.kind === 'address') return all.where('address', '=', person.address).execute();
    const homeserver = homeserverOf(person.mxid);
    if (homeserver === undefined) return [];
    const named = containing(`"mxid":${JSON.stringify(person.mxid)}`);
    const ofServer = all
      .where('server_name', '=', homeserver)
      .where(sql<boolean>`association like ${named} escape '\\'`);
    // Each kind has an index of its own.
    return [
      ...(await ofServer.where('refused_ts', 'is', null).execute()),
      ...(await ofServer.where('refused_ts', 'is not', null).execute()),
    ];
  }
  const owed: Place = {
    find: async (person, limit) =>
      (await noticesOf(person, limit)).map(({ server_name, ...row }) => ({
        ...row,
        homeserver: server_name,
      })),
    async erase(person, limit) {
      const ids = (await noticesOf(person, limit)).map(({ id }) => id);
      await notices.onbindNotices.remove(ids);
      return ids.length;
    },
  };

  /** Rows of a small table, each of one address. */
  const ofAddress = (
    table: 'cognomen_received_deletions' | 'cognomen_owner_sessions',
    columns: readonly string[],
  ): Place => ({
    async find(person, limit) {
      if (person.kind === 'user') return [];
      const { rows } = await sql<KeptRow>`select medium, address, ${sql.join(columns.map(sql.ref))}
        from ${sql.table(table)}
        where address = ${person.address} and medium = ${person.medium} limit ${limit}`.execute(db);
      return rows;
    },
    async erase(person) {
      if (person.kind === 'user') return 0;
      const { numDeletedRows } = await db
        .deleteFrom(table)
        .where('address', '=', person.address)
        .where('medium', '=', person.medium)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  });

  const accounts: Place = {
    async find(person) {
      if (person.kind === 'address') return [];
      const { mxid } = person;
      const account = await db
        .selectFrom('accounts')
        .select(['user_id', 'created_ts', 'consent_version'])
        .where('user_id', '=', mxid)
        .executeTakeFirst();
      const tokens = await db
        .selectFrom('tokens')
        .leftJoin('cognomen_tokens as used', 'used.token', 'tokens.token')
        .select('used.last_used_ts')
        .where('user_id', '=', mxid)
        .execute();
      const terms = await db
        .selectFrom('accepted_terms_urls')
        .select('url')
        .where('user_id', '=', mxid)
        .execute();
      return [
        ...(account === undefined ? [] : [account]),
        ...tokens.map((row) => ({ user_id: mxid, access_token_last_used: row.last_used_ts })),
        ...terms.map(({ url }) => ({ user_id: mxid, accepted_terms: url })),
      ];
    },
    async erase(person) {
      const count = (await accounts.find(person, 1)).length;
      if (person.kind === 'address' || count === 0) return 0;
      await overviewStore(engine, db).logOut(person.mxid);
      for (const table of ['accepted_terms_urls', 'accounts'] as const) {
        await db.deleteFrom(table).where('user_id', '=', person.mxid).execute();
      }
      return count;
    },
  };

  const messagesOf = (person: Person, limit: number) => {
    const all = db
      .selectFrom('cognomen_message_events')
      .select(['id', 'medium', 'address', 'event', 'first_ts', 'last_ts', 'times', 'mxid'])
      .select('details')
      .orderBy('id')
      .limit(limit);
    if (person.kind === 'user') return all.where('mxid', '=', person.mxid).execute();
    return all.where('address', '=', person.address).where('medium', '=', person.medium).execute();
  };
  const messages: Place = {
    find: messagesOf,
    async erase(person, limit) {
      const ids = (await messagesOf(person, limit)).map(({ id }) => id);
      for (const portion of portions(ids)) {
        await db.deleteFrom('cognomen_message_events').where('id', 'in', portion).execute();
      }
      return ids.length;
    },
  };

  /** Every table that names people must be here, but for those of associations, which `identity/erasure` sees to. */
  const places: Readonly<Record<string, Place>> = {
    sessions,
    messages,
    invitations: invites,
    invitation_keys: inviteKeys,
    notices: owed,
    owner_notices: { find: notices.ownerNotices.keptOf, erase: notices.ownerNotices.remove },
    received_deletions: ofAddress('cognomen_received_deletions', ['origin_server', 'received_ts']),
    owner_sessions: ofAddress('cognomen_owner_sessions', ['proven_ts', 'expires_ts']),
    account: accounts,
  };

  const at = (name: string): Place => {
    const place = places[name];
    if (place === undefined) throw new Error(`Nothing is kept under ${name}`);
    return place;
  };

  return {
    places: Object.keys(places),
    find: (place, person, limit) => at(place).find(person, limit),
    erase: (place, person, limit, now) => at(place).erase(person, limit, now),

    bindings: (medium, address) =>
      keyedAssociations(db)
        .where('lookup.spelling', '=', address)
        .where('global.medium', '=', medium)
        .select(['global.id', 'global.medium', 'global.address', 'global.mxid', 'global.ts'])
        .select(['global.notBefore as not_before', 'global.notAfter as not_after'])
        .select(['global.originServer as origin', 'global.sgAssoc as signed'])
        .execute(),

    statements: (medium, address) =>
      db
        .selectFrom('local_threepid_associations')
        .select(['id', 'medium', 'address', 'mxid', 'ts'])
        .where('medium', '=', medium)
        .where('address', '=', address)
        .execute(),

    async dropStatements(ids) {
      if (ids.length === 0) return;
      await db.deleteFrom('local_threepid_associations').where('id', 'in', ids).execute();
    },

    async boundTo(mxid, table, from) {
      const name = `${table}_threepid_associations` as const;
      const end = await db
        .selectFrom(name)
        .select('id')
        .where('id', '>', from)
        .orderBy('id')
        .offset(PORTION - 1)
        .limit(1)
        .executeTakeFirst();
      let portion = db.selectFrom(name).select(['medium', 'address']).where('id', '>', from);
      if (end !== undefined) portion = portion.where('id', '<=', end.id);
      const rows = await portion.where('mxid', '=', mxid).execute();
      return { rows, next: end?.id };
    },
  };
}
