import type { Dialect, Driver } from 'kysely';

/** The dialect, with some of what its driver does done otherwise. */
export const withDriver = (
  dialect: Dialect,
  change: (driver: Driver) => Partial<Driver>,
): Dialect => ({
  createAdapter: () => dialect.createAdapter(),
  createIntrospector: (db) => dialect.createIntrospector(db),
  createQueryCompiler: () => dialect.createQueryCompiler(),
  createDriver() {
    const driver = dialect.createDriver();
    return Object.assign(driver, change(driver));
  },
});
