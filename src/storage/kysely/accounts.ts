import { sql } from 'kysely';
import type { Db, Engine, TextList } from '../engines/engine.ts';
import type { AccountStore } from '../stores/index.ts';
import { prepare } from './prepared.ts';
import { sharedReads } from './shared-reads.ts';

interface TokenRow {
  readonly token: string;
  readonly user_id: string;
  readonly consent_version: string | null;
  readonly last_used_ts: number | null;
}

/** Finds a token by the forms in which it may be stored, the likeliest first: every request with one does. */
function tokenFinder(engine: Engine) {
  const tokens = (db: Engine['db']) =>
    db
      .selectFrom('tokens')
      .innerJoin('accounts', 'accounts.user_id', 'tokens.user_id')
      .leftJoin('cognomen_tokens as extra', 'extra.token', 'tokens.token')
      .select(['tokens.token', 'tokens.user_id', 'accounts.consent_version'])
      .select('extra.last_used_ts');
  const byForm = prepare<{ token: string }, TokenRow>(engine, (db, slot) =>
    tokens(db).where('tokens.token', '=', slot('token')),
  );
  const byForms = prepare<{ forms: TextList }, TokenRow>(engine, (db, slot) =>
    tokens(db).where(engine.isIn('tokens.token', slot('forms'))),
  );
  const shared = sharedReads(
    (forms) => byForms(engine.db, { forms: engine.list(forms) }),
    ({ token }) => token,
  );
  return async (db: Db, forms: readonly string[]): Promise<TokenRow | undefined> => {
    if (engine.isRemote && db === engine.db) return (await shared(forms))[0];
    // Two statements take less than one with a list, and one is nearly always enough.
    for (const token of forms) {
      const [row] = await byForm(db, { token });
      if (row !== undefined) return row;
    }
    return undefined;
  };
}

export function accountStore(engine: Engine): (db: Db) => AccountStore {
  const findToken = tokenFinder(engine);
  return (db) => {
    /** Everyone deletes in this order, so that nobody waits for somebody who waits for them. */
    async function deleteTokens(tokens: readonly string[]): Promise<void> {
      if (tokens.length === 0) return;
      await db.deleteFrom('cognomen_tokens').where(engine.isAnyOf('token', tokens)).execute();
      await db.deleteFrom('tokens').where(engine.isAnyOf('token', tokens)).execute();
    }

    return {
      async addToken(userId, token, now) {
        await db
          .insertInto('accounts')
          .values({ user_id: userId, created_ts: now, consent_version: null })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        await db.insertInto('tokens').values({ token, user_id: userId }).execute();
        await db.insertInto('cognomen_tokens').values({ token, last_used_ts: now }).execute();
      },

      async deleteOldestTokens(userId, newest, most, limit) {
        const account = db.selectFrom('accounts').select('user_id').where('user_id', '=', userId);
        // Of two who add a token at once, the second counts the first's.
        await (engine.locksRows ? account.forUpdate() : account).execute();
        const { count } = await db
          .selectFrom('tokens')
          .select(({ fn }) => fn.countAll<number | string>().as('count'))
          .where('user_id', '=', userId)
          .executeTakeFirstOrThrow();
        const excess = Math.min(Number(count) - most, limit);
        if (excess <= 0) return 0;
        const rows = await db
          .selectFrom('tokens')
          .leftJoin('cognomen_tokens as extra', 'extra.token', 'tokens.token')
          .select('tokens.token')
          .where('tokens.user_id', '=', userId)
          .where('tokens.token', '<>', newest)
          .orderBy(sql`coalesce(extra.last_used_ts, 0)`)
          .orderBy('tokens.token')
          .limit(excess)
          .execute();
        await deleteTokens(rows.map(({ token }) => token));
        return rows.length;
      },

      async findToken(forms) {
        const row = await findToken(db, forms);
        return (
          row && {
            token: row.token,
            userId: row.user_id,
            consentVersion: row.consent_version ?? undefined,
            lastUsed: row.last_used_ts ?? undefined,
          }
        );
      },

      async touchToken(token, now) {
        await db
          .insertInto('cognomen_tokens')
          .values({ token, last_used_ts: now })
          .onConflict((conflict) => conflict.column('token').doUpdateSet({ last_used_ts: now }))
          .execute();
      },

      deleteToken: deleteTokens,

      async deleteTokensUnusedSince(time, limit) {
        const unused = db
          .selectFrom('cognomen_tokens')
          .select('token')
          .where('last_used_ts', '<=', time)
          .limit(limit);
        const rows = await (engine.locksRows ? unused.forUpdate().skipLocked() : unused).execute();
        await deleteTokens(rows.map(({ token }) => token));
        return rows.length;
      },

      async dateTokens(after, now, limit) {
        const rows = await db
          .selectFrom('tokens')
          .leftJoin('cognomen_tokens as extra', 'extra.token', 'tokens.token')
          .where('tokens.token', '>', after)
          .select(['tokens.token', 'extra.last_used_ts'])
          .orderBy('tokens.token')
          .limit(limit)
          .execute();
        const undated = rows.filter((row) => row.last_used_ts === null);
        if (undated.length > 0) {
          await db
            .insertInto('cognomen_tokens')
            .values(undated.map(({ token }) => ({ token, last_used_ts: now })))
            .onConflict((conflict) => conflict.doNothing())
            .execute();
        }
        return rows.at(-1)?.token;
      },

      listAfter: (userId, limit) =>
        db
          .selectFrom('accounts')
          .where('user_id', '>', userId)
          .select(['user_id as userId', 'created_ts as createdAt'])
          .orderBy('user_id')
          .limit(limit)
          .execute(),

      async acceptedUrls(userId) {
        const rows = await db
          .selectFrom('accepted_terms_urls')
          .select('url')
          .where('user_id', '=', userId)
          .execute();
        return rows.map((row) => row.url);
      },

      async acceptUrls(userId, urls) {
        if (urls.length === 0) return;
        await db
          .insertInto('accepted_terms_urls')
          .values(urls.map((url) => ({ user_id: userId, url })))
          .onConflict((conflict) => conflict.doNothing())
          .execute();
      },

      async setConsentVersion(userId, version) {
        await db
          .updateTable('accounts')
          .set({ consent_version: version })
          .where('user_id', '=', userId)
          .execute();
      },
    };
  };
}
