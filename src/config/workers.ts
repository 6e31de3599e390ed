import type { Config } from './config.ts';
import type { ConfigReader } from './reader.ts';
import { PROCESSES } from './sections/processes.ts';

/** Notes what several processes cannot have in common. */
export function checkWorkers(
  reader: ConfigReader,
  { general, db, http, admin }: Pick<Config, 'general' | 'db' | 'http' | 'admin'>,
): void {
  if (general.workers === 1) return;
  const { section, name } = PROCESSES.workers;
  const refuse = (reason: string) => reader.problem(section, name, reason);
  if (db.engine === 'sqlite' && db.file === ':memory:') {
    refuse('must be 1 with db.file = :memory:, which no other process can read');
  }
  const listeners = [
    http.clientApi,
    http.internalApi,
    http.replication,
    general.prometheus,
    admin.listener,
  ];
  if (listeners.some((listener) => listener?.port === 0)) {
    refuse('must be 1 where a listener has port 0, which is another one for each process');
  }
}
