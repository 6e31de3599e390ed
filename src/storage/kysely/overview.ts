import { sql } from 'kysely';
import { MEDIA } from '../../model/addresses.ts';
import type { Db, Engine } from '../engines/engine.ts';
import type { AssociationRow, OverviewStore } from '../stores/index.ts';
import { toSeconds } from './invitations.ts';
import { countAll, countStock } from './queries/counts.ts';
import { keyedAssociations } from './queries/keyed-associations.ts';
import { eachPiece } from './queries/pieces.ts';

/** Invitations of a piece: their texts are looked at as well. */
const ROWS_WITH_MAIL = 250;

/** Milliseconds of what Sydent keeps in seconds. */
const milliseconds = (seconds: number | null) => (seconds === null ? undefined : seconds * 1000);
const orUndefined = <T>(value: T | null): T | undefined => value ?? undefined;

const COLUMNS = [
  ...(['global.id', 'global.medium', 'global.address', 'global.mxid', 'global.ts'] as const),
  ...(['global.notBefore', 'global.notAfter', 'global.originServer'] as const),
  'global.sgAssoc as signedJson',
] as const;

interface Vitals {
  readonly bytes: number;
  readonly time: number | null;
}

/** @param db also outside of a transaction: what is counted need not be of one moment */
export function overviewStore(engine: Engine, db: Db): OverviewStore {
  return {
    counts: (serverName) => countAll(db, serverName),
    stock: (serverName) => countStock(db, serverName),

    async vitals() {
      const query =
        engine.name === 'sqlite'
          ? sql<Vitals>`select page_count * page_size as bytes, null as time from pragma_page_count(), pragma_page_size()`
          : sql<Vitals>`select pg_database_size(current_database()) as bytes, (extract(epoch from clock_timestamp()) * 1000)::float8 as time`;
      const { rows } = await query.execute(db);
      return { bytes: Number(rows[0]?.bytes), time: orUndefined(rows[0]?.time ?? null) };
    },

    associationsAt: (medium, address) =>
      keyedAssociations(db)
        .where('lookup.spelling', '=', address)
        .where('global.medium', '=', medium)
        .select(COLUMNS)
        .execute(),

    async associationsOf(mxid, { after, limit }) {
      const found: AssociationRow[] = [];
      // Sydent's table has no index for it.
      const all = { table: 'global_threepid_associations', key: 'id', after } as const;
      await eachPiece<number>(db, all, async ({ low, high }) => {
        const some = await db
          .selectFrom('global_threepid_associations as global')
          .select(COLUMNS)
          .where('global.mxid', '=', mxid)
          .where('global.id', '>', low)
          .where('global.id', '<=', high)
          .orderBy('global.id')
          .limit(limit - found.length)
          .execute();
        found.push(...some);
        return found.length < limit;
      });
      return found;
    },

    async invites({ address, medium, sender, undelivered }, { after, limit }) {
      let invites = db
        .selectFrom('invite_tokens as invite')
        .leftJoin('cognomen_notice_invites as notice', 'notice.token', 'invite.token')
        .select(['invite.id', 'invite.medium', 'invite.address', 'invite.room_id', 'invite.sender'])
        .select(['invite.token', 'invite.received_ts', 'invite.sent_ts', 'notice.notice_id'])
        .where('invite.id', '>', after)
        .orderBy(address === undefined ? sql.ref('invite.id') : sql`invite.id + 0`)
        .limit(limit);
      // By the index of media and addresses, which begins with the medium; in the order of ids all would be gone through.
      if (address !== undefined) {
        invites = invites
          .where('invite.medium', 'in', medium === undefined ? [...MEDIA] : [medium])
          .where(sql`lower(invite.address)`, '=', address);
      }
      if (undelivered) invites = invites.where('invite.sent_ts', 'is', null);
      if (sender !== undefined) invites = invites.where('invite.sender', '=', sender);
      const rows = await invites.execute();
      return rows.map((row) => ({
        id: row.id,
        medium: row.medium,
        address: row.address,
        roomId: row.room_id,
        sender: row.sender,
        token: row.token,
        receivedAt: milliseconds(row.received_ts),
        deliveredAt: milliseconds(row.sent_ts),
        notice: orUndefined(row.notice_id),
      }));
    },

    async eachInvite({ since, withMail = false }, see) {
      const all = { table: 'invite_tokens', key: 'id', after: 0 } as const;
      const pieces = withMail ? { ...all, rows: ROWS_WITH_MAIL } : all;
      await eachPiece<number>(db, pieces, async ({ low, high }) => {
        const rows = await db
          .selectFrom('invite_tokens as invite')
          .leftJoin('cognomen_invite_mails as mail', (join) =>
            join
              .onRef('mail.token', '=', 'invite.token')
              .on(sql<boolean>`${sql.lit(withMail ? 1 : 0)} = 1`),
          )
          .select(['room_id', 'sender', 'received_ts', 'sent_ts', 'shown'])
          .where('invite.id', '>', low)
          .where('invite.id', '<=', high)
          .where((where) =>
            where.or([
              where('received_ts', 'is', null),
              where('received_ts', '>=', toSeconds(since)),
            ]),
          )
          .execute();
        await see(
          rows.map((row) => ({
            roomId: row.room_id,
            sender: row.sender,
            receivedAt: milliseconds(row.received_ts),
            deliveredAt: milliseconds(row.sent_ts),
            mail: orUndefined(row.shown),
          })),
        );
        return true;
      });
    },

    async owed(homeserver, { after, limit }) {
      let notices = db
        .selectFrom('cognomen_notices as owed')
        .leftJoin('cognomen_notice_servers as server', 'server.server_name', 'owed.server_name')
        .select(['id', 'owed.server_name', 'address', 'created_ts', 'attempts'])
        .select(['next_attempt_ts', 'refused_ts', 'server.failure', 'server.failed_ts'])
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit);
      if (homeserver !== undefined) notices = notices.where('owed.server_name', '=', homeserver);
      const rows = await notices.execute();
      return rows.map((row) => ({
        id: row.id,
        homeserver: row.server_name,
        address: row.address,
        createdAt: row.created_ts,
        attempts: row.attempts,
        nextAttemptAt: row.next_attempt_ts,
        refusedAt: orUndefined(row.refused_ts),
        failure: row.failure === null ? undefined : { reason: row.failure, at: row.failed_ts ?? 0 },
      }));
    },

    async retryNow(homeserver, now) {
      const turn = await db
        .updateTable('cognomen_notice_servers')
        .set({ due_ts: now, refused_due_ts: 0, troubled: 0 })
        .where('server_name', '=', homeserver)
        .where('claimed_by', 'is', null)
        .executeTakeFirst();
      const owed = await db
        .updateTable('cognomen_notices')
        .set({ next_attempt_ts: now })
        .where('server_name', '=', homeserver)
        .executeTakeFirst();
      return turn.numUpdatedRows + owed.numUpdatedRows > 0n;
    },

    async sessions(address, { after, limit }) {
      let sessions = db
        .selectFrom('threepid_validation_sessions as session')
        .leftJoin('cognomen_sessions as own', 'own.session_id', 'session.id')
        .select(['session.id', 'session.medium', 'session.address', 'session.validated'])
        .select(['session.mtime', 'own.sent_attempt', 'own.wrong_guesses', 'own.binds'])
        .where('session.id', '>', after)
        .orderBy('session.id')
        .limit(limit);
      if (address !== undefined) sessions = sessions.where('own.address', '=', address);
      const rows = await sessions.execute();
      return rows.map((row) => ({
        id: row.id,
        medium: row.medium,
        address: row.address,
        validated: row.validated === 1,
        modifiedAt: row.mtime,
        sentAttempt: row.sent_attempt ?? -1,
        wrongGuesses: row.wrong_guesses ?? 0,
        binds: row.binds ?? 0,
      }));
    },

    async deleteSession(id) {
      for (const table of ['cognomen_session_codes', 'cognomen_sessions'] as const) {
        await db.deleteFrom(table).where('session_id', '=', id).execute();
      }
      await db.deleteFrom('threepid_token_auths').where('validationSession', '=', id).execute();
      const { numDeletedRows } = await db
        .deleteFrom('threepid_validation_sessions')
        .where('id', '=', id)
        .executeTakeFirst();
      return numDeletedRows > 0n;
    },

    async accounts(after, limit) {
      const rows = await db
        .selectFrom('accounts')
        .select(['user_id', 'created_ts', 'consent_version'])
        .select((account) =>
          account
            .selectFrom('tokens')
            .whereRef('tokens.user_id', '=', 'accounts.user_id')
            .select((all) => all.fn.countAll<number>().as('count'))
            .as('tokens'),
        )
        .where('user_id', '>', after)
        .orderBy('user_id')
        .limit(limit)
        .execute();
      return rows.map((row) => ({
        userId: row.user_id,
        createdAt: row.created_ts,
        consentVersion: orUndefined(row.consent_version),
        tokens: Number(row.tokens),
      }));
    },

    async logOut(userId) {
      // In this order: see "Access tokens" in docs/architecture.md.
      await db
        .deleteFrom('cognomen_tokens')
        .where('token', 'in', (own) =>
          own.selectFrom('tokens').select('token').where('user_id', '=', userId),
        )
        .execute();
      const { numDeletedRows } = await db
        .deleteFrom('tokens')
        .where('user_id', '=', userId)
        .executeTakeFirst();
      return Number(numDeletedRows);
    },
  };
}
