import type { Progress } from '../../platform/progress.ts';
import { DatabaseOpenError, type Db } from '../engines/engine.ts';
import { checksumOf } from './checksum.ts';
import { countRows, type Table } from './tables.ts';

/** A table that was copied and found the same on both sides. */
export interface CopiedTable {
  readonly name: string;
  readonly rows: number;
}

/** @throws DatabaseOpenError where a table is not the same on both sides */
export async function compareAll(
  target: Db,
  source: Db,
  tables: readonly Table[],
  progress: Progress,
): Promise<CopiedTable[]> {
  const copied: CopiedTable[] = [];
  for (const table of tables) {
    let compared = 0;
    const left = async () => 2 * (await countRows(source, table)) - compared;
    const task = await progress.begin(`Comparing ${table.name}`, left);
    const advance = (rows: number) => {
      compared += rows;
      return task.advance(rows);
    };
    const [one, other] = await Promise.all([
      checksumOf(source, table, advance),
      checksumOf(target, table, advance),
    ]);
    task.end();
    const there = await countRows(source, table);
    if (there !== one.count) {
      throw new DatabaseOpenError(
        `${there - one.count} rows of the table ${table.name} have no ${table.key.join(' or ')}, and were not copied: correct or delete them in the source, empty the target, and copy anew`,
      );
    }
    if (one.count !== other.count || one.sum !== other.sum) {
      throw new DatabaseOpenError(
        `The table ${table.name} is not the same in both (${one.count} and ${other.count} rows): one of them was changed meanwhile. Stop every server on them, empty the target, and copy anew`,
      );
    }
    copied.push({ name: table.name, rows: one.count });
  }
  return copied;
}
