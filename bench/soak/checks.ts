/** What must be so in the end. */
import { setTimeout as wait } from 'node:timers/promises';
import { type Clients, register } from './clients.ts';
import type { Ledger } from './ledger.ts';
import type { Held, World } from './world.ts';

const AT_ONCE = 1000;
/** Milliseconds after which what waits must be done. */
const SETTLED = 120_000;
const POLL = 250;

/** MiB, and a number of files and handles, by which a process holds more than after the warm-up. */
const GROWTH = { memory: 100, files: 20, handles: 20 };

/** Waits until nothing is left; what is left in the end. */
async function untilNone<T>(
  left: () => Promise<readonly T[]> | readonly T[],
): Promise<readonly T[]> {
  const until = performance.now() + SETTLED;
  for (;;) {
    const still = await left();
    if (still.length === 0 || performance.now() > until) return still;
    await wait(POLL);
  }
}

function portionsOf<T>(all: readonly T[]): T[][] {
  const portions: T[][] = [];
  for (let from = 0; from < all.length; from += AT_ONCE)
    portions.push(all.slice(from, from + AT_ONCE));
  return portions;
}

/** What does not hold goes to the ledger's problems. */
export async function checkAll(world: World, ledger: Ledger, clients: Clients): Promise<string[]> {
  const { server, peer, hs, relay } = world;
  const { ask } = clients;
  const certain = [...ledger.entries].filter(([, { certain }]) => certain);
  const require = (left: readonly unknown[], what: string) => {
    if (left.length > 0) ledger.problem(`${left.length} ${what}, such as ${left.slice(0, 3)}`);
  };

  let token: string | undefined;
  await untilNone(async () => {
    token ??= await register({ world, ledger, ask }, 'checker');
    return token === undefined ? ['no account'] : [];
  });
  for (const portion of portionsOf(certain)) {
    const found = await clients.lookUp(
      server,
      portion.filter(([address]) => !address.startsWith('peer')).map(([address]) => address),
      token ?? '',
    );
    const wrong = portion.filter(
      ([address, { mxid }]) => !address.startsWith('peer') && found?.get(address) !== mxid,
    );
    require(wrong.map(([address]) => address), 'addresses are not answered as acknowledged');
  }

  const told = () => new Set(hs.onbinds.map(({ address }) => address));
  const own = certain.filter(
    ([address, { mxid }]) => mxid !== undefined && !address.startsWith('peer'),
  );
  require(await untilNone(() => {
    const known = told();
    return own.filter(([address]) => !known.has(address)).map(([address]) => address);
  }), 'bindings of which the homeserver was not told');
  const invited = own.filter(([, { invitation }]) => invitation !== undefined);
  const taken = new Set(
    hs.onbinds.flatMap(({ invites }) => invites.map((each: { token: string }) => each.token)),
  );
  require(invited
    .filter(([, { invitation }]) => !taken.has(invitation))
    .map(([address]) => address), 'invitations that were not handed on');
  require([...ledger.mailed].filter((address) => !relay.hasMail(address)), 'mails that never came');

  const account = async (held: string) =>
    (await ask('account', `${server.url}/_matrix/identity/v2/account`, { token: held })).status ===
    200;
  const dead: string[] = [];
  for (const held of ledger.tokens) if (!(await account(held))) dead.push('one');
  require(dead, 'access tokens do not work any more');

  const v1 = async (at: { url: string }, address: string) => {
    const query = new URLSearchParams({ medium: 'email', address });
    const { json } = await ask('v1 lookup', `${at.url}/_matrix/identity/api/v1/lookup?${query}`);
    return json.mxid;
  };
  for (const [name, at, all] of [
    ['the peer', peer, own],
    ['the server', server, certain.filter(([address]) => address.startsWith('peer'))],
  ] as const) {
    let left: readonly (typeof all)[number][] = all;
    left = await untilNone(async () => {
      const still: (typeof all)[number][] = [];
      for (const entry of left) if ((await v1(at, entry[0])) !== entry[1].mxid) still.push(entry);
      left = still;
      return still;
    });
    require(left.map(([address]) => address), `bindings did not come to ${name}`);
  }

  for (const line of world.logs().split('\n')) {
    if (/"level":"fatal"|Request failed|[Uu]nhandled|TypeError/.test(line)) {
      ledger.problem(`the log says ${line.slice(0, 500)}`);
    }
  }
  const twice = hs.onbinds.length - told().size;
  return [
    `${certain.length} addresses acknowledged, ${ledger.entries.size - certain.length} of unknown outcome`,
    `${own.length} bindings are found by the server and its peer, and the homeserver knows of them; ${twice} notices came again`,
    `${invited.length} invitations were handed on, ${relay.mails} mails came, ${ledger.tokens.size} tokens work`,
  ];
}

export function checkHeld(before: Held, after: Held, processes: number, ledger: Ledger): void {
  for (const name of ['memory', 'files', 'handles'] as const) {
    const grown = after[name] - before[name];
    if (!(grown <= GROWTH[name] * processes)) {
      ledger.problem(
        `${name}: ${before[name].toFixed(0)} after the warm-up, ${after[name].toFixed(0)} in the end`,
      );
    }
  }
}
