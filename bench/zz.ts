import { fillSqlite } from './data.ts';

await fillSqlite('/tmp/mil/sydent.db', 1_000_000);
