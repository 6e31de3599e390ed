import type { listAudit } from '../../src/operations/audit.ts';
import type { unbind } from '../../src/operations/bind.ts';
import type { blockSomebody, listBlocks, unblock } from '../../src/operations/blocks.ts';
import type { showConfig } from '../../src/operations/config.ts';
import type { doctor } from '../../src/operations/doctor.ts';
import type { showHistory } from '../../src/operations/history.ts';
import type { groupInvites } from '../../src/operations/invite-groups.ts';
import type { cancelInvite, listInvites, resendInvite } from '../../src/operations/invites.ts';
import type { listKeys, planKey } from '../../src/operations/keys.ts';
import type { listLimits, resetLimits } from '../../src/operations/limits.ts';
import type { lookup } from '../../src/operations/lookup.ts';
import type { testMail, testSms } from '../../src/operations/message-tests.ts';
import type { showOutcomes } from '../../src/operations/messages.ts';
import type { dropOutbox, listOutbox, retryOutbox } from '../../src/operations/outbox.ts';
import type {
  addPeer,
  disablePeer,
  enablePeer,
  removePeer,
  showPeers,
} from '../../src/operations/peers.ts';
import type { rotatePepper, showPepper } from '../../src/operations/pepper.ts';
import type { erasePerson, exportPerson } from '../../src/operations/person.ts';
import type { listTemplates, previewMessage } from '../../src/operations/previews.ts';
import type { stats } from '../../src/operations/stats.ts';
import type { trace } from '../../src/operations/trace.ts';
import type { wouldBlock } from '../../src/operations/would-block.ts';
import { renewed, signedOut, token } from './session.ts';
import { TEXTS } from './texts.ts';

/** What is not there comes as a Fault. */
type ResultOf<O> = O extends { run(...args: never[]): Promise<infer R> } ? NonNullable<R> : never;
type ItemOf<O> = ResultOf<O> extends readonly (infer I)[] ? I : never;

/** What `GET` answers, by its path: the results of the operations themselves. */
export interface Looks {
  about: {
    readonly who: string;
    readonly role: 'viewer' | 'operator';
    readonly server_name: string;
    readonly version: string;
    readonly keys: readonly { readonly id: string; readonly public_key: string }[];
  };
  doctor: ResultOf<typeof doctor>;
  stats: ResultOf<typeof stats>;
  history: ResultOf<typeof showHistory>;
  'invites/by': ResultOf<typeof groupInvites>;
  'invites/would-block': ResultOf<typeof wouldBlock>;
  'key/plan': ResultOf<typeof planKey>;
  'pepper/status': ResultOf<typeof showPepper>;
  trace: ResultOf<typeof trace>;
  'messages/outcomes': ResultOf<typeof showOutcomes>;
  'messages/templates': ResultOf<typeof listTemplates>;
  'messages/preview': ResultOf<typeof previewMessage>;
  export: ResultOf<typeof exportPerson>;
}

/** The same of lists. */
export interface Lists {
  lookup: ItemOf<typeof lookup>;
  'invites/list': ItemOf<typeof listInvites>;
  'outbox/list': ItemOf<typeof listOutbox>;
  'limits/blocks': ItemOf<typeof listBlocks>;
  'limits/list': ItemOf<typeof listLimits>;
  'peers/status': ItemOf<typeof showPeers>;
  'audit/list': ItemOf<typeof listAudit>;
  'key/list': ItemOf<typeof listKeys>;
  'config/show': ItemOf<typeof showConfig>;
}

/** What `POST` answers. */
export interface Changes {
  'mail/test': ResultOf<typeof testMail>;
  'sms/test': ResultOf<typeof testSms>;
  unbind: ResultOf<typeof unbind>;
  erase: ResultOf<typeof erasePerson>;
  'invites/cancel': ResultOf<typeof cancelInvite>;
  'invites/resend': ResultOf<typeof resendInvite>;
  'outbox/retry': ResultOf<typeof retryOutbox>;
  'outbox/drop': ResultOf<typeof dropOutbox>;
  'limits/block': ResultOf<typeof blockSomebody>;
  'limits/unblock': ResultOf<typeof unblock>;
  'limits/reset': ResultOf<typeof resetLimits>;
  'pepper/rotate': ResultOf<typeof rotatePepper>;
  'peers/add': ResultOf<typeof addPeer>;
  'peers/remove': ResultOf<typeof removePeer>;
  'peers/enable': ResultOf<typeof enablePeer>;
  'peers/disable': ResultOf<typeof disablePeer>;
}

/** A page of a list; `next` is where the one behind it begins. */
export interface ListPage<T> {
  readonly items: readonly T[];
  readonly next?: string;
}

export type Args = Readonly<Record<string, string | number | boolean | undefined>>;

/** What the server refused, or that it did not answer; the message is for people. */
export class Fault extends Error {
  /** 0: there was no answer. */
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }

  get isNotFound(): boolean {
    return this.status === 404;
  }
}

const ROOT = '_cognomen/admin/v1/';

const members = (args: Args) =>
  Object.entries(args).filter(
    (member): member is [string, string | number | boolean] => member[1] !== undefined,
  );

async function messageOf(answer: Response): Promise<string> {
  const body: unknown = await answer.json().catch(() => undefined);
  const isTold = typeof body === 'object' && body !== null && 'error' in body;
  return isTold && typeof body.error === 'string' ? body.error : TEXTS.noReason(answer.status);
}

/** Asks with a token, or without one. @throws Fault */
export async function ask(
  bearer: string | undefined,
  path: string,
  args: Args,
  { method, signal }: { method: 'GET' | 'POST'; signal?: AbortSignal | undefined },
): Promise<unknown> {
  const url = new URL(`${ROOT}${path}`, document.baseURI);
  const isGet = method === 'GET';
  if (isGet) for (const [name, value] of members(args)) url.searchParams.set(name, String(value));
  let answer: Response;
  try {
    answer = await fetch(url, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
      },
      body: isGet ? null : JSON.stringify(Object.fromEntries(members(args))),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      signal: signal ?? null,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Fault(0, TEXTS.noAnswer);
  }
  if (!answer.ok) throw new Fault(answer.status, await messageOf(answer));
  return answer.json();
}

/** Asks as who is signed in; where the token is good no more, with another, or that ends. @throws Fault */
async function askSignedIn(
  path: string,
  args: Args,
  options: Parameters<typeof ask>[3],
  isSecond = false,
): Promise<unknown> {
  const bearer = token();
  try {
    return await ask(bearer, path, args, options);
  } catch (error) {
    if (!(error instanceof Fault && error.status === 401)) throw error;
    // Another request may have got one meanwhile.
    const hasOther = token() !== bearer || (await renewed());
    if (hasOther && !isSecond) return askSignedIn(path, args, options, true);
    signedOut(TEXTS.signIn.ended);
    throw error;
  }
}

/** @throws Fault */
export const look = <P extends keyof Looks>(path: P, args: Args = {}, signal?: AbortSignal) =>
  askSignedIn(path, args, { method: 'GET', signal }) as Promise<Looks[P]>;

/** @throws Fault */
export const list = <P extends keyof Lists>(path: P, args: Args = {}, signal?: AbortSignal) =>
  askSignedIn(path, args, { method: 'GET', signal }) as Promise<ListPage<Lists[P]>>;

/** @throws Fault */
export const change = <P extends keyof Changes>(path: P, args: Args = {}) =>
  askSignedIn(path, args, { method: 'POST' }) as Promise<Changes[P]>;
