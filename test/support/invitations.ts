import { postJson } from './http.ts';
import type { TestServer } from './server.ts';

export const INVITE = {
  medium: 'email',
  room_id: '!tea:sample.test',
  sender: '@ada:sample.test',
  room_alias: '',
  room_avatar_url: 'mxc://sample.test/abc',
  room_join_rules: 'invite',
  room_name: 'Tea',
  sender_display_name: 'Ada',
  sender_avatar_url: '',
};

/** Invites, takes the mail and answers what the inviting homeserver is answered. */
export async function invite(server: TestServer, address: string, more: object = {}) {
  const url = `${server.url}/_matrix/identity/api/v1/store-invite`;
  const stored = await postJson(url, { ...INVITE, address, ...more });
  if (stored.status !== 200) throw new Error(`${stored.status} ${stored.text}`);
  await server.smtp.nextMail();
  return stored.json;
}

/** Binds by the internal API and answers the signed association. */
export async function bind(server: TestServer, address: string, mxid: string) {
  const url = `${server.internalUrl}/_matrix/identity/internal/bind`;
  const bound = await postJson(url, { medium: 'email', address, mxid });
  if (bound.status !== 200) throw new Error(`${bound.status} ${bound.text}`);
  return bound.json;
}

/** Follows the link of an invitation that was mailed there, by which its owner refuses more of them. */
export async function refuseInvitations(
  { smtp, url }: Pick<TestServer, 'smtp' | 'url'>,
  address: string,
): Promise<void> {
  const mail = String(smtp.mails.find(({ to }) => to[0] === address)?.raw);
  const link = /^List-Unsubscribe: <([^>]+)>/im.exec(mail.replaceAll(/\r\n[ \t]/g, ''))?.[1];
  const { pathname, search } = new URL(link ?? '');
  const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
  const { status } = await fetch(`${url}${pathname}${search}`, { method: 'POST', body });
  if (status !== 200) throw new Error(`Refusing was answered ${status}`);
}
