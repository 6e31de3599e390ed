import { CompiledQuery, type DatabaseConnection, PostgresDialect, PostgresDriver } from 'kysely';
import type { PostgresConfig } from '../../database-config.ts';

type Settings = readonly (readonly [name: string, value: string | number])[];

/**
 * All statements are made for their indexes. Of tables that were just filled the planner knows nothing, and would read
 * them through.
 */
const PLANNING: Settings = [
  ['enable_seqscan', 'off'],
  ['enable_hashjoin', 'off'],
  ['enable_mergejoin', 'off'],
  // To start a process for a part of it takes longer than any of them.
  ['max_parallel_workers_per_gather', 0],
];

/** What a session of ours is to be set to. */
export function settingsOf({ statementTimeout }: PostgresConfig): Settings {
  const limits = ['statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout'];
  if (statementTimeout === 0) return PLANNING;
  return [...PLANNING, ...limits.map((name) => [name, statementTimeout] as const)];
}

export const setAll = (settings: Settings, scope: 'session' | 'local'): string =>
  settings.map(([name, value]) => `set ${scope} ${name} = ${value}`).join('; ');

/** A dialect whose transactions begin with these statements: behind a pooler each has another session. */
export class SettingDialect extends PostgresDialect {
  readonly #config: ConstructorParameters<typeof PostgresDialect>[0];
  readonly #begin: string;

  constructor(config: ConstructorParameters<typeof PostgresDialect>[0], settings: Settings) {
    super(config);
    this.#config = config;
    this.#begin = `begin; ${setAll(settings, 'local')}`;
  }

  override createDriver(): PostgresDriver {
    const begin = CompiledQuery.raw(this.#begin);
    return new (class extends PostgresDriver {
      override async beginTransaction(connection: DatabaseConnection): Promise<void> {
        await connection.executeQuery(begin);
      }
    })(this.#config);
  }
}
