import { type RawBuilder, type SelectQueryBuilder, sql } from 'kysely';
import { foldAddress } from '../../../model/addresses.ts';
import type { Db, Engine, TextList } from '../../engines/engine.ts';
import type { KnownOfAddress, WantedInvites } from '../../stores/index.ts';
import { pendingInvites, toInvite, toSeconds } from '../invitations.ts';
import { prepare, type SlotOf } from '../prepared.ts';
import { keyedAssociations } from './keyed-associations.ts';

export interface AddressQuery {
  readonly medium: string;
  /** Folded. */
  readonly address: string;
  readonly serverName: string;
  readonly invites: WantedInvites | undefined;
}

interface Values {
  readonly medium: string;
  readonly address: string;
  /** In lower case. */
  readonly serverName: string;
  readonly spellings: TextList;
  /** In seconds. */
  readonly since: number;
  readonly limit: number;
}

/** One row of any of the tables: each has some of the columns. */
interface Row {
  readonly source: 'logged' | 'published' | 'owed' | 'pending';
  readonly id: number;
  readonly medium: string;
  readonly address: string;
  readonly mxid: string | null;
  readonly ts: number;
  readonly origin_server: string;
  readonly origin_id: number;
  readonly association: string;
  readonly room_id: string;
  readonly sender: string;
  readonly token: string;
}

const TYPES = {
  id: 'bigint',
  medium: 'text',
  address: 'text',
  mxid: 'text',
  ts: 'bigint',
  origin_server: 'text',
  origin_id: 'bigint',
  association: 'text',
  room_id: 'text',
  sender: 'text',
  token: 'text',
} as const satisfies Record<Exclude<keyof Row, 'source'>, 'bigint' | 'text'>;

type Columns = Partial<Record<keyof typeof TYPES, string>>;

/** A part of the read: which column of the table is which of the row; the others are null. */
function part<DB, TB extends keyof DB>(
  query: SelectQueryBuilder<DB, TB, unknown>,
  source: Row['source'],
  columns: Columns,
) {
  const selected = Object.entries(TYPES).map(([name, type]) => {
    const column = columns[name as keyof typeof TYPES];
    const value: RawBuilder<unknown> =
      column === undefined ? sql`cast(null as ${sql.raw(type)})` : sql.ref(column);
    return value.as(name);
  });
  return query.select([sql.lit(source).as('source'), ...selected]).$castTo<Row>();
}

/** All that there is of an address, in one statement: whoever binds it holds everybody else up until it is read. */
export function knownOfAddress(engine: Engine) {
  const withInvites = prepare<Values, Row>(engine, (db, slot) => statement(engine, db, slot, true));
  const without = prepare<Values, Row>(engine, (db, slot) => statement(engine, db, slot, false));
  return async (db: Db, query: AddressQuery): Promise<KnownOfAddress> => {
    const { medium, address, serverName, invites } = query;
    const rows = await (invites === undefined ? without : withInvites)(db, {
      medium,
      address,
      serverName: serverName.toLowerCase(),
      spellings: engine.list(invites?.spellings ?? []),
      since: toSeconds(invites?.since ?? 0),
      limit: invites?.limit ?? 0,
    });
    return toKnown(rows, medium, address);
  };
}

function statement(engine: Engine, db: Db, slot: SlotOf<Values>, asksForInvites: boolean) {
  const [medium, address] = [slot('medium'), slot('address')];
  const log = { id: 'log.id', medium: 'log.medium', address: 'log.address' };
  const entry = { ...log, mxid: 'log.mxid', ts: 'log.ts' };
  const folded = db
    .selectFrom('local_threepid_associations as log')
    .where('log.medium', '=', medium)
    .where('log.address', '=', address);
  // What an old Sydent stored in another spelling is found by its association's keys.
  const spelt = keyedAssociations(db)
    .crossJoin('local_threepid_associations as log')
    .whereRef('log.id', '=', 'global.originId')
    .where('lookup.spelling', '=', address)
    .where(sql<boolean>`lower(${sql.ref('global.originServer')}) = ${slot('serverName')}`);
  const published = keyedAssociations(db)
    .where('lookup.spelling', '=', address)
    .where('global.medium', '=', medium);
  const owed = db.selectFrom('cognomen_notices as notice').where('notice.address', '=', address);
  let all = part(folded, 'logged', entry)
    .unionAll(part(spelt, 'logged', entry))
    .unionAll(
      part(published, 'published', {
        id: 'global.id',
        mxid: 'global.mxid',
        ts: 'global.ts',
        origin_server: 'global.originServer',
        origin_id: 'global.originId',
      }) as never,
    )
    .unionAll(part(owed, 'owed', { id: 'notice.id', association: 'notice.association' }) as never);
  if (asksForInvites) {
    const pending = pendingInvites(engine, db, {
      medium,
      addresses: slot('spellings'),
      since: slot('since'),
      limit: slot('limit'),
    });
    all = all.unionAll(
      part(db.selectFrom(pending.as('pending_invite')), 'pending', {
        id: 'pending_invite.id',
        medium: 'pending_invite.medium',
        address: 'pending_invite.address',
        room_id: 'pending_invite.room_id',
        sender: 'pending_invite.sender',
        token: 'pending_invite.token',
      }) as never,
    );
  }
  return all;
}

function toKnown(rows: readonly Row[], medium: string, address: string): KnownOfAddress {
  const from = Map.groupBy(rows, ({ source }) => source);
  const of = (source: Row['source']) => from.get(source) ?? [];
  // The ids of rows older than the log can be those of other entries by now.
  const entries = of('logged').filter(
    (row) => row.medium === medium && foldAddress(medium, row.address) === address,
  );
  return {
    logged: [...new Map(entries.map((row) => [row.id, row])).values()].map(({ id, mxid, ts }) => ({
      id,
      mxid: mxid ?? undefined,
      ts: ts ?? 0,
    })),
    published: of('published').map((row) => ({
      id: row.id,
      mxid: row.mxid ?? '',
      ts: row.ts,
      originServer: row.origin_server,
      originId: row.origin_id,
    })),
    // Notices do not say of which medium their address is; their binding does.
    owed: of('owed')
      .filter((row) => JSON.parse(row.association).medium === medium)
      .map(({ id, association }) => ({ id, association })),
    pending: of('pending')
      .toSorted((a, b) => a.id - b.id)
      .map(toInvite),
  };
}
