import type Database from 'better-sqlite3';
import type { Logger } from 'pino';
import { foldAddress } from '../../../model/addresses.ts';
import { lookupHash } from '../../../model/lookup-hash.ts';
import { newPepper } from '../../../platform/new-pepper.ts';
import type { Progress, Task } from '../../../platform/progress.ts';
import type { Random } from '../../../platform/random.ts';
import { INDEXES, SYDENT_USER_VERSION, type SydentIndex, TABLES } from './sydent-schema.ts';

export interface UpgradeDependencies {
  readonly logger: Logger;
  readonly random: Random;
  readonly progress: Progress;
  /** Whose associations are this server's own. */
  readonly serverName: string;
}

const ASSOCIATION_TABLES = ['local_threepid_associations', 'global_threepid_associations'] as const;
const BATCH = 1000;
/** Bytes of a file whose upgrade is announced: one step alone may take seconds. */
const LARGE = 64 * 1024 * 1024;

/**
 * Brings a file of Sydent's, of whatever version or empty, to the schema of Sydent 2.7, in one
 * transaction. Looks at what is there rather than at the version: files differ within one.
 */
export async function upgradeSydentDatabase(
  db: Database.Database,
  deps: UpgradeDependencies,
): Promise<void> {
  const version = db.pragma('user_version', { simple: true });
  const complete = INDEXES.every((index) => hasIndex(db, index));
  if (version === SYDENT_USER_VERSION && complete && hasPepper(db)) {
    raiseSequences(db, deps.serverName);
    return;
  }
  const steps = ASSOCIATION_TABLES.length + INDEXES.length;
  const [pages, pageSize] = ['page_count', 'page_size'].map((name) =>
    Number(db.pragma(name, { simple: true })),
  );
  const size = (pages ?? 0) * (pageSize ?? 0);
  const what = "Bringing Sydent's tables up to date (steps)";
  const task = await deps.progress.begin(what, steps, size >= LARGE);
  db.exec('begin immediate');
  try {
    for (const statement of Object.values(TABLES)) db.exec(statement);
    await rebuildAssociationTables(db, task);
    raiseSequences(db, deps.serverName);
    for (const table of ASSOCIATION_TABLES) {
      if (!columnsOf(db, table).includes('lookup_hash')) {
        db.exec(`alter table ${table} add column lookup_hash varchar(256)`);
      }
    }
    for (const index of INDEXES) {
      createIndex(db, index, deps.logger);
      await task.advance(1);
    }
    task.end();
    if (!hasPepper(db)) await makePepper(db, deps);
    db.pragma(`user_version = ${SYDENT_USER_VERSION}`);
    db.exec('commit');
  } catch (error) {
    db.exec('rollback');
    throw error;
  }
  if (version !== SYDENT_USER_VERSION) {
    deps.logger.info({ from: version, to: SYDENT_USER_VERSION }, 'Upgraded the SQLite database');
  }
}

export function tableNames(db: Database.Database): string[] {
  const rows = db.prepare("select name from sqlite_master where type = 'table'").all();
  return (rows as { name: string }[]).map((row) => row.name);
}

function columnsOf(db: Database.Database, table: string): string[] {
  return (db.pragma(`table_info(${table})`) as { name: string }[]).map((column) => column.name);
}

function hasPepper(db: Database.Database): boolean {
  if (!tableNames(db).includes('hashing_metadata')) return false;
  const row = db.prepare('select lookup_pepper as pepper from hashing_metadata limit 1').get();
  return Boolean((row as { pepper: string | null } | undefined)?.pepper);
}

/**
 * The first version reused ids and could not log deletions. Ids are kept, unlike by Sydent's own
 * step: peers and the global table go by them.
 */
async function rebuildAssociationTables(db: Database.Database, task: Task): Promise<void> {
  for (const table of ASSOCIATION_TABLES) {
    await task.advance(1);
    const { sql } = db
      .prepare("select sql from sqlite_master where type = 'table' and name = ?")
      .get(table) as { sql: string };
    if (/autoincrement/i.test(sql)) continue;
    const columns = columnsOf(db, table).join(', ');
    db.exec(`alter table ${table} rename to cognomen_old_associations`);
    db.exec(TABLES[table]);
    // A hash column, where there is one already, is among those copied.
    db.exec(`insert into ${table} (${columns}) select ${columns} from cognomen_old_associations`);
    db.exec('drop table cognomen_old_associations');
  }
}

/**
 * No id of an association is given out twice, whatever the file has been through: Sydent's own upgrade
 * from version 0 left the ids to come below those that the global table and the peers know.
 */
function raiseSequences(db: Database.Database, serverName: string): void {
  raiseSequence(
    db,
    'global_threepid_associations',
    'select max(id) from global_threepid_associations',
  );
  raiseSequence(
    db,
    'local_threepid_associations',
    `select max(id) from (
       select max(id) as id from local_threepid_associations
       union all select max(lastSentVersion) from peers
       union all select max(originId) from global_threepid_associations
         where originServer in (select value from json_each(?))
     )`,
    JSON.stringify(spellingsOf(db, serverName)),
  );
}

/** The server's name, in whatever case associations of its have it: one probe of an index for each origin. */
function spellingsOf(db: Database.Database, serverName: string): string[] {
  const next = db
    .prepare(
      'select originServer from global_threepid_associations where originServer > ? order by originServer limit 1',
    )
    .pluck();
  const spellings = [serverName];
  for (let origin = next.get(''); typeof origin === 'string'; origin = next.get(origin)) {
    if (origin.toLowerCase() === serverName.toLowerCase()) spellings.push(origin);
  }
  return spellings;
}

function raiseSequence(db: Database.Database, table: string, highest: string, ...values: string[]) {
  const id = Number(
    db
      .prepare(highest)
      .pluck()
      .get(...values) ?? 0,
  );
  const current = db.prepare('select seq from sqlite_sequence where name = ?').pluck().get(table);
  if (Number(current ?? 0) >= id) return;
  if (current === undefined) {
    db.prepare('insert into sqlite_sequence (name, seq) values (?, ?)').run(table, id);
  } else {
    db.prepare('update sqlite_sequence set seq = ? where name = ?').run(id, table);
  }
}

/** The indexes of a table as lists of columns: their names differ from file to file. */
function indexedColumns(
  db: Database.Database,
  table: string,
): { columns: string; unique: boolean }[] {
  const indexes = db.pragma(`index_list(${table})`) as { name: string; unique: number }[];
  return indexes.map(({ name, unique }) => {
    const sql = db.prepare('select sql from sqlite_master where name = ?').pluck().get(name);
    const written =
      typeof sql === 'string' && sql.trimEnd().endsWith(')')
        ? sql.slice(sql.indexOf('(') + 1, sql.lastIndexOf(')'))
        : undefined;
    const parts = db.pragma(`index_info("${name.replaceAll('"', '""')}")`) as {
      name: string | null;
    }[];
    const columns = written ?? parts.map((part) => part.name).join(',');
    return { columns: columns.replace(/\s|"/g, '').toLowerCase(), unique: unique === 1 };
  });
}

function hasIndex(db: Database.Database, { table, columns, unique = false }: SydentIndex): boolean {
  const wanted = columns.join(',').toLowerCase();
  return indexedColumns(db, table).some(
    (candidate) => candidate.columns === wanted && candidate.unique >= unique,
  );
}

function createIndex(db: Database.Database, index: SydentIndex, logger: Logger): void {
  const { name, table, columns, unique = false } = index;
  if (hasIndex(db, index)) return;
  const list = columns.join(', ');
  if (unique) {
    const { changes } = db
      .prepare(
        `delete from ${table} where rowid not in (select max(rowid) from ${table} group by ${list})`,
      )
      .run();
    if (changes > 0) {
      logger.warn(
        { table, columns, count: changes },
        'Deleted older rows of which there can be one only',
      );
    }
  }
  const taken = db.prepare('select 1 from sqlite_master where name = ?').get(name);
  db.exec(
    `create ${unique ? 'unique ' : ''}index "${taken ? `cognomen_${name}` : name}" on ${table} (${list})`,
  );
}

async function makePepper(
  db: Database.Database,
  { random, progress }: UpgradeDependencies,
): Promise<void> {
  const pepper = newPepper(random);
  db.prepare('delete from hashing_metadata').run();
  db.prepare('insert into hashing_metadata (id, lookup_pepper) values (0, ?)').run(pepper);
  const counts = ASSOCIATION_TABLES.map(
    (table) => `(select count(*) from ${table} where mxid is not null)`,
  );
  const all = Number(
    db
      .prepare(`select ${counts.join(' + ')}`)
      .pluck()
      .get(),
  );
  const task = await progress.begin('Hashing the addresses with a new pepper', all);
  for (const table of ASSOCIATION_TABLES) {
    const select = db.prepare(
      `select id, medium, address from ${table} where mxid is not null and id > ? order by id limit ${BATCH}`,
    );
    const update = db.prepare(`update ${table} set lookup_hash = ? where id = ?`);
    for (let last = 0; ; ) {
      const rows = select.all(last) as { id: number; medium: string; address: string }[];
      for (const { id, medium, address } of rows) {
        update.run(lookupHash(foldAddress(medium, address), medium, pepper), id);
      }
      await task.advance(rows.length);
      if (rows.length < BATCH) break;
      last = rows.at(-1)?.id ?? last;
    }
  }
  task.end();
}
