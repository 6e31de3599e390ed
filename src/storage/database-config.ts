/** Which database, and how it is used. */
export type DatabaseConfig = SqliteConfig | PostgresConfig;

export interface SqliteConfig {
  readonly engine: 'sqlite';
  /** A path or `:memory:`. */
  readonly file: string;
  /** Whether a copy is made beside an older file before it is first changed. */
  readonly backup: boolean;
  /** Whether the start is refused while another process has the file open for writing. */
  readonly exclusive: boolean;
}

export interface PostgresConfig {
  readonly engine: 'postgres';
  /** A name, an address, or the folder of a socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string | undefined;
  readonly database: string;
  readonly sslMode: 'disable' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';
  /** Path of a PEM file, or `system` for the authorities of the system. */
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly poolSize: number;
  /** Whether statements that are run often are prepared by name; `auto`: where no pooler stands between. */
  readonly preparedStatements: 'auto' | 'on' | 'off';
  /** Milliseconds; 0 for none. */
  readonly statementTimeout: number;
  /** Milliseconds to wait for a connection. */
  readonly connectTimeout: number;
  /** Where reads that may be late are read from, with options of their own. */
  readonly replicas: readonly PostgresConfig[];
  /** Milliseconds that a replica may be late at most. */
  readonly readMaxLag: number;
  /** Milliseconds that a start waits for the database to be there. */
  readonly startTimeout: number;
}
