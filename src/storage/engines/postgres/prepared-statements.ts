import type { Client } from 'pg';

/**
 * Statements that each connection is to parse and plan once: they go to it under a name. All others are parsed each
 * time, so that a server that runs long leaves no heap of them at the database.
 */
export class PreparedStatements {
  readonly #names = new Map<string, string>();

  add(text: string): void {
    if (!this.#names.has(text)) this.#names.set(text, `cognomen_${this.#names.size + 1}`);
  }

  /** A client that names them, whoever runs them. */
  clientOf(Base: typeof Client): typeof Client {
    const names = this.#names;
    return class NamingClient extends Base {
      override query(...query: unknown[]): never {
        const [text, values, ...more] = query;
        const name = typeof text === 'string' ? names.get(text) : undefined;
        const named = name === undefined ? query : [{ name, text, values }, ...more];
        return (super.query as (...query: unknown[]) => never)(...named);
      }
    } as unknown as typeof Client;
  }
}
