import { type CompiledQuery, type RawBuilder, sql } from 'kysely';
import type { Db, Engine } from '../engines/engine.ts';

/** The place of a value in a statement that is prepared. */
class Slot {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** Gives a statement the place of the value of that name. */
export type SlotOf<V> = <N extends keyof V & string>(name: N) => RawBuilder<V[N]>;

/** A statement to run on the database, or in a transaction, with those values. */
export type Prepared<V, Row> = (db: Db, values: V) => Promise<Row[]>;

/**
 * Compiles a statement once: building and compiling it for each request takes several times what the database needs to
 * answer it. For those that every request, or every one of many, runs; all others are built where they are used.
 */
export function prepare<V extends object, Row>(
  engine: Engine,
  build: (db: Engine['db'], slot: SlotOf<V>) => { compile(): CompiledQuery<Row> },
  { mayBeLate = false }: { readonly mayBeLate?: boolean } = {},
): Prepared<V, Row> {
  let compiled: CompiledQuery<Row> | undefined;
  let run: ReturnType<Engine['prepare']> | undefined;
  return (db, values) => {
    compiled ??= build(engine.db, (name) => sql`${new Slot(name)}`).compile();
    run ??= mayBeLate ? engine.prepareLate(compiled.sql) : engine.prepare(compiled.sql);
    const parameters = compiled.parameters.map((parameter) =>
      parameter instanceof Slot ? values[parameter.name as keyof V] : parameter,
    );
    const onlyReads = compiled.sql.startsWith('select');
    if (onlyReads && db === engine.db) return run(parameters) as Promise<Row[]>;
    return db.executeQuery<Row>({ ...compiled, parameters }).then(({ rows }) => rows);
  };
}
