/** The load: clients that each do one thing after the other until they are told to end. */
import { setTimeout as wait } from 'node:timers/promises';
import { lookupHash } from '../../src/model/lookup-hash.ts';
import type { Entry, Ledger } from './ledger.ts';
import { misbehave } from './misbehaving.ts';
import type { Chance } from './random.ts';
import type { World } from './world.ts';

const V2 = '/_matrix/identity/v2';
const INTERNAL = '/_matrix/identity/internal';
const SECRET = 'secret';
/** Milliseconds. */
const PATIENCE = 30_000;
const PAUSE = { least: 10, most: 60 };
const AGAIN = 200;

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: answers are looked at member by member
  readonly json: any;
}

/** Answers that a fault may bring about, beside 200 and 503. */
const EXCUSED: Readonly<Record<string, RegExp>> = {
  'request-token': /^400 M_EMAIL_SEND_ERROR|^429 /,
  'store-invite': /^400 M_EMAIL_SEND_ERROR|^500 M_EMAIL_SEND_ERROR/,
  register: /^(?:401|500|502) /,
};

export interface Clients {
  /** Asks, and notes what came of it; a status of 0: no answer. */
  ask(asked: string, url: string, options?: { body?: unknown; token?: string }): Promise<Answer>;
  /** Asks for these addresses by hash; undefined while there is no answer. */
  lookUp(
    at: { url: string },
    addresses: readonly string[],
    token: string,
  ): Promise<Map<string, string> | undefined>;
  /** Stops all; resolves when what was under way is done. */
  end(): Promise<void>;
}

/** An account by the homeserver's word; its token, once it is given. */
export async function register(
  { world, ledger, ask }: { world: World; ledger: Ledger; ask: Clients['ask'] },
  name: string,
): Promise<string | undefined> {
  const { hs, server } = world;
  hs.openIdTokens.set(name, `@${name}:${hs.serverName}`);
  const { status, json } = await ask('register', `${server.url}${V2}/account/register`, {
    body: {
      access_token: name,
      expires_in: 3600,
      matrix_server_name: hs.serverName,
      token_type: 'Bearer',
    },
  });
  if (status !== 200) return undefined;
  ledger.tokens.add(json.token);
  return json.token;
}

/** @param domain of all addresses that they bind */
export function startClients(
  world: World,
  ledger: Ledger,
  chance: Chance,
  domain: string,
): Clients {
  const { server, peer, hs, relay } = world;
  const addresses: string[] = [];
  let isOver = false;
  let number = 0;

  const ask: Clients['ask'] = async (asked, url, { body, token } = {}) => {
    const begun = performance.now();
    const note = (outcome: string) => ledger.note(asked, outcome, performance.now() - begun);
    try {
      const answer = await fetch(url, {
        method: body === undefined ? 'GET' : 'POST',
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(PATIENCE),
      });
      const json = JSON.parse(await answer.text());
      const { status } = answer;
      const outcome = status === 200 ? '200' : `${status} ${json.errcode}`;
      note(outcome);
      if (status !== 200 && status !== 503 && EXCUSED[asked]?.test(outcome) !== true) {
        ledger.problem(`${asked} was answered ${outcome}: ${json.error}`);
      }
      if (status === 503 && !(Number(answer.headers.get('retry-after')) > 0)) {
        ledger.problem(`${asked} was answered 503 without Retry-After`);
      }
      return { status, json };
    } catch (error) {
      const isLate = error instanceof Error && error.name === 'TimeoutError';
      note(isLate ? 'no answer' : 'cut off');
      if (isLate) ledger.problem(`${asked} had no answer after ${PATIENCE / 1000} s`);
      return { status: 0, json: {} };
    }
  };

  /** Asks again until it is done. */
  async function insist(...args: Parameters<typeof ask>): Promise<Answer | undefined> {
    while (!isOver) {
      const answer = await ask(...args);
      if (answer.status === 200) return answer;
      await wait(AGAIN);
    }
    return undefined;
  }

  async function change(
    address: string,
    mxid: string | undefined,
    work: () => Promise<Answer | undefined>,
  ): Promise<void> {
    const entry: Entry = ledger.entries.get(address) ?? {
      mxid: undefined,
      certain: true,
      version: 0,
      bound: false,
    };
    ledger.entries.set(address, entry);
    entry.certain = false;
    entry.version++;
    if ((await work()) === undefined) return;
    entry.certain = true;
    entry.mxid = mxid;
    if (mxid !== undefined) {
      entry.bound = true;
      if (entry.version === 1) addresses.push(address);
    }
  }

  const lookUp: Clients['lookUp'] = async (at, asked, token) => {
    const details = await ask('hash_details', `${at.url}${V2}/hash_details`, { token });
    if (details.status !== 200) return undefined;
    const pepper = details.json.lookup_pepper;
    const hashes = new Map(asked.map((address) => [lookupHash(address, 'email', pepper), address]));
    const found = await ask('lookup', `${at.url}${V2}/lookup`, {
      token,
      body: { algorithm: 'sha256', pepper, addresses: [...hashes.keys()] },
    });
    if (found.status !== 200) return undefined;
    const mappings: [string, string][] = Object.entries(found.json.mappings);
    return new Map(mappings.map(([hash, mxid]) => [hashes.get(hash) ?? '', mxid]));
  };

  const untilMail = async (address: string) => {
    while (!isOver && !relay.hasMail(address)) await wait(AGAIN);
    return relay.codeOf(address);
  };

  /** The whole way of a user: mail, code, bind, now and then taken back. */
  async function session(token: string, mxid: string): Promise<void> {
    const address = `session${number++}@${domain}`;
    const body = { email: address, client_secret: SECRET, send_attempt: 1 };
    const url = `${server.url}${V2}/validate/email/requestToken`;
    const begun = await insist('request-token', url, { token, body });
    if (begun === undefined) return;
    ledger.mailed.add(address);
    const code = await untilMail(address);
    const proof = { sid: begun.json.sid, client_secret: SECRET };
    const submit = `${server.url}${V2}/validate/email/submitToken`;
    if (!(await insist('submit-token', submit, { token, body: { ...proof, token: code } }))) return;
    await change(address, mxid, () =>
      insist('bind', `${server.url}${V2}/3pid/bind`, { token, body: { ...proof, mxid } }),
    );
    if (chance.next() > 0.2 || isOver) return;
    const threepid = { medium: 'email', address };
    await change(address, undefined, () =>
      insist('unbind', `${server.url}${V2}/3pid/unbind`, {
        token,
        body: { ...proof, mxid, threepid },
      }),
    );
  }

  async function bindInternally(at: 'server' | 'peer', token: string): Promise<void> {
    const who = number++;
    const address = `${at}${who}@${domain}`;
    const mxid = `@u${who}:${hs.serverName}`;
    let invitation: string | undefined;
    if (at === 'server' && chance.next() < 0.2) {
      const stored = await ask('store-invite', `${server.url}${V2}/store-invite`, {
        token,
        body: {
          medium: 'email',
          address,
          room_id: '!tea:sample.test',
          sender: ownerOf.get(token),
        },
      });
      if (stored.status === 200) {
        invitation = stored.json.token;
        ledger.mailed.add(address);
      }
    }
    const url = `${(at === 'server' ? server : peer).internalUrl}${INTERNAL}/bind`;
    await change(address, mxid, () =>
      insist(`internal bind at the ${at}`, url, { body: { medium: 'email', address, mxid } }),
    );
    const entry = ledger.entries.get(address);
    if (entry && invitation !== undefined) entry.invitation = invitation;
  }

  async function looks(token: string): Promise<void> {
    const size = Math.min(addresses.length, chance.between(1, 100));
    const some = new Set(Array.from({ length: size }, () => chance.of(addresses)));
    const own = [...some].filter((address) => !address.startsWith('peer'));
    const before = new Map(own.map((address) => [address, { ...ledger.entries.get(address) }]));
    const found = await lookUp(server, own, token);
    if (found === undefined) return;
    for (const [address, then] of before) {
      const now = ledger.entries.get(address);
      if (then.certain !== true || now?.version !== then.version) continue;
      if (found.get(address) !== then.mxid) {
        ledger.problem(`${address} was answered ${found.get(address)} in place of ${then.mxid}`);
      }
    }
  }

  const ownerOf = new Map<string, string>();
  async function account(): Promise<{ token: string; mxid: string } | undefined> {
    const name = `account${number++}`;
    while (!isOver) {
      const token = await register({ world, ledger, ask }, name);
      const mxid = `@${name}:${hs.serverName}`;
      if (token !== undefined) {
        ownerOf.set(token, mxid);
        return { token, mxid };
      }
      await wait(AGAIN);
    }
    return undefined;
  }

  async function registers(): Promise<void> {
    const made = await account();
    if (made === undefined) return;
    const { token } = made;
    await ask('account', `${server.url}${V2}/account`, { token });
    if (chance.next() < 0.7) {
      ledger.tokens.delete(token);
      await insist('logout', `${server.url}${V2}/account/logout`, { token, body: {} }).catch(
        () => {},
      );
    }
    await wait(500);
  }

  const repeat = async (work: (own: { token: string; mxid: string }) => Promise<unknown>) => {
    const own = await account();
    while (!isOver && own !== undefined) {
      await work(own);
      await wait(chance.between(PAUSE.least, PAUSE.most));
    }
  };
  const times = (count: number, work: Parameters<typeof repeat>[0]) =>
    Array.from({ length: count }, () => repeat(work));

  const running = [
    ...times(4, ({ token, mxid }) => session(token, mxid)),
    ...times(3, ({ token }) => bindInternally('server', token)),
    ...times(1, ({ token }) => bindInternally('peer', token)),
    ...times(4, ({ token }) => looks(token)),
    ...times(1, registers),
    ...times(4, () => misbehave(server.url, chance)),
  ];
  return {
    ask,
    lookUp,
    async end() {
      isOver = true;
      await Promise.all(running);
    },
  };
}
