import { runCommand } from './commands.ts';
import { get, postJson, type TestAnswer } from './http.ts';
import type { TestServer } from './server.ts';

/** Configuration with which a test server has an admin API. */
export const WITH_ADMIN = 'admin.http.port = 0';

export const ADMIN_ROOT = '/_cognomen/admin/v1';

/** The admin API of a server, as one asks it who has that token. */
export interface AdminClient {
  get(path: string, query?: Record<string, string>): Promise<TestAnswer>;
  post(path: string, body?: unknown): Promise<TestAnswer>;
}

export const adminClient = (
  { adminUrl }: Pick<TestServer, 'adminUrl'>,
  token?: string,
): AdminClient => ({
  get: (path, query = {}) => get(`${adminUrl}${ADMIN_ROOT}/${path}`, query, token),
  post: (path, body = {}) => postJson(`${adminUrl}${ADMIN_ROOT}/${path}`, body, token),
});

/** Makes a token as an operator does, by the command. */
export async function createAdminToken(
  file: string,
  role: 'viewer' | 'operator',
  ...more: string[]
): Promise<{ id: string; token: string; expires_at: number }> {
  const args = ['admin-token', 'create', '--role', role, '--json', '-c', file, ...more];
  return JSON.parse((await runCommand(...args)).output);
}
