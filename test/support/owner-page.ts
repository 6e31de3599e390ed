import { expect } from 'vitest';
import { request, type TestAnswer } from './http.ts';
import type { TestServer } from './server.ts';
import type { ReceivedMail } from './smtp.ts';

export const WITH_OWNER_PAGE = 'self_service.enabled = true\nlimits.enforce = true';
export const OWNER_PAGE = '/_matrix/identity/cognomen/mine';

const CODE = /^[3479ACDEFHJKMNPQRTWXY]{8}$/m;
const seen = new WeakSet<ReceivedMail>();

/** The next mail with a code to that address that nobody took by this yet; and the code. */
export async function codeMailTo({ smtp }: Pick<TestServer, 'smtp'>, address: string) {
  const isIt = (mail: ReceivedMail) =>
    mail.to[0] === address && CODE.test(mail.parsed.text ?? '') && !seen.has(mail);
  await expect.poll(() => smtp.mails.some(isIt)).toBe(true);
  const mail = smtp.mails.find(isIt) as ReceivedMail;
  seen.add(mail);
  return { ...mail, code: CODE.exec(mail.parsed.text ?? '')?.[0] ?? '' };
}

/** A browser on the owners' page, as far as it can be done without one: it keeps the cookie, and sends the forms. */
export class Visitor {
  server: Pick<TestServer, 'url'>;
  cookie: string | undefined;
  /** Those that each request has. */
  headers: Record<string, string> = {};
  readonly cookies: string[] = [];

  constructor(server: Pick<TestServer, 'url'>) {
    this.server = server;
  }

  async send(path: string, init: RequestInit = {}): Promise<TestAnswer> {
    const headers = new Headers({ ...this.headers, ...(init.headers as Record<string, string>) });
    if (this.cookie !== undefined) headers.set('cookie', this.cookie);
    const answer = await request(`${this.server.url}${OWNER_PAGE}${path}`, { ...init, headers });
    for (const line of answer.headers.getSetCookie()) {
      this.cookies.push(line);
      this.cookie = /Max-Age=0/.test(line) ? undefined : line.split(';', 1)[0];
    }
    return answer;
  }

  /** The page as it is now. */
  async look(): Promise<string> {
    const { status, text } = await this.send('');
    if (status !== 200) throw new Error(`${status} ${text}`);
    return text;
  }

  /** What this browser's forms carry. */
  async formToken(): Promise<string> {
    return /name="form" value="([^"]+)"/.exec(await this.look())?.[1] ?? '';
  }

  /** Sends a form as the page has it; with others' headers where they are given. */
  async post(path: string, fields: Record<string, string>, headers: Record<string, string> = {}) {
    const form = fields['form'] ?? (await this.formToken());
    const body = new URLSearchParams({ ...fields, form });
    return this.send(path, { method: 'POST', body, headers });
  }

  /** Proves an email address. */
  async prove(server: Pick<TestServer, 'smtp'>, address: string): Promise<void> {
    await this.post('/code', { address });
    const { code } = await codeMailTo(server, address);
    const { status } = await this.post('/prove', { code });
    if (status !== 302) throw new Error(`Proving was answered ${status}`);
  }
}
