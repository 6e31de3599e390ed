import {
  addressesOf,
  type ErasureDependencies,
  eraseAddress,
  eraseUser,
  type Kept,
  keptOf,
  type OwnedAddress,
  REFUSAL,
  removeTombstones,
  saidOf,
  TRAIL,
} from '../identity/erasure/erasure.ts';
import {
  aBoolean,
  aList,
  aMap,
  anInteger,
  anObject,
  aString,
  type Schema,
} from '../model/json-schema.ts';
import { linesNaming } from '../platform/log-search.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { parseSubject } from './input.ts';
import type { Operation, OperationContext } from './operation.ts';
import { lines, plain } from './text.ts';

/** So many of a kind are given at most. */
const MOST = 10_000;
const MOST_LINES = 1000;
/** Bytes of a file that is written anew without being asked: a second or two, in which nobody can write. */
const REWRITTEN_UP_TO = 256 * 1024 * 1024;

/** What is known of a person. */
interface Found {
  readonly user: string | undefined;
  readonly addresses: readonly OwnedAddress[];
  readonly kept: Kept;
  /** The users that the address is bound to, where it is asked for alone. */
  readonly boundTo: readonly string[];
}

/** All of a person that an export gives; of a kind 10,000 at most. */
interface Export {
  readonly user: string | undefined;
  readonly addresses: readonly string[];
  readonly kept: Kept;
  readonly log_lines: readonly string[];
  readonly remains: readonly string[];
}

/** What is erased, or would be. */
interface Erasure {
  readonly erased: boolean;
  readonly user: string | undefined;
  readonly addresses: readonly string[];
  /** How many there were of each kind. */
  readonly kept: Readonly<Record<string, number>>;
  /** Peers that have not got a deletion yet: until then, it names the address. */
  readonly waiting_for: readonly string[];
  /** Places of the database's file that show a name still; 0 where it was written anew. */
  readonly traces: number | undefined;
  readonly remains: readonly string[];
}

const depsOf = ({
  storage,
  clock,
  random,
  keys,
  config,
}: OperationContext): ErasureDependencies => ({
  storage,
  clock,
  random,
  serverName: keys.serverName,
  tombstoneLifetime: config.general.tombstoneLifetime,
});

function add(kept: Kept, more: Kept): void {
  for (const [place, rows] of Object.entries(more)) {
    // Some are both the user's and an address's.
    const all = new Map(
      [...(kept[place] ?? []), ...rows].map((row) => [row['id'] ?? JSON.stringify(row), row]),
    );
    kept[place] = [...all.values()].slice(0, MOST);
  }
}

const textsIn = (kept: Kept, column: string): string[] =>
  Object.values(kept)
    .flat()
    .map((row) => row[column])
    .filter((value) => typeof value === 'string');

async function findPerson(text: string, context: OperationContext): Promise<Found> {
  const { storage } = context;
  const subject = parseSubject(text);
  if (subject.kind === 'address') {
    const kept = await keptOf(context, subject, MOST);
    const boundTo = [...new Set(textsIn({ bindings: kept['bindings'] ?? [] }, 'mxid'))];
    return { user: undefined, addresses: [{ ...subject, isOfAnother: false }], kept, boundTo };
  }
  const { mxid } = subject;
  const kept = await keptOf(context, subject, MOST);
  const addresses = await addressesOf(context, mxid);
  for (const address of addresses) {
    const { medium, isOfAnother } = address;
    const person = { kind: 'address', medium, address: address.address } as const;
    add(kept, await (isOfAnother ? saidOf(storage, address, mxid) : keptOf(context, person, MOST)));
  }
  return { user: mxid, addresses, kept, boundTo: [] };
}

/** Everything that tells who it is, in all spellings that were stored. */
function namesOf({ user, addresses, kept }: Found): string[] {
  const owned = addresses.filter(({ isOfAnother }) => !isOfAnother).map(({ address }) => address);
  const isOwned = new Set(owned.map((address) => address.toLowerCase()));
  const spelt = textsIn(kept, 'address').filter((one) => isOwned.has(one.toLowerCase()));
  return [...new Set([...(user === undefined ? [] : [user]), ...owned, ...spelt])];
}

/** What no command can take away, and why. */
async function remainsOf(found: Found, context: OperationContext) {
  const { config, keys } = context;
  const naming = await linesNaming(config.general.log.path, namesOf(found), MOST_LINES);
  const origins = new Set(textsIn(found.kept, 'origin').filter((name) => name !== keys.serverName));
  const remains = [
    naming.count > 0
      ? `${naming.count} lines of ${naming.files.join(', ')}: a log file is deleted as a whole`
      : undefined,
    naming.unread.length > 0
      ? `what ${naming.unread.join(', ')} may say: compressed, or not to be read from here`
      : undefined,
    origins.size > 0
      ? `bindings at ${[...origins].join(', ')}, which said so itself: only its operator can take them back`
      : undefined,
    found.boundTo.length > 0
      ? `what else is kept of ${found.boundTo.join(', ')}, to whom the address is bound: erase the user id`
      : undefined,
    found.kept[REFUSAL] === undefined
      ? undefined
      : 'that no invitations are to be mailed to them, as a keyed hash: as long as nobody runs invites allow',
    'what operators did about them, under a name that tells nobody who it was: audit.kept_days says until when',
    'what homeservers were told of bindings',
    'backups',
    config.db.engine === 'postgres'
      ? 'dead rows, until PostgreSQL has written its tables anew (VACUUM FULL), and its own log (pg_wal) until it is used again'
      : undefined,
    'limits, under hashes, until they are empty',
  ].filter((one) => one !== undefined);
  return { remains, naming };
}

const SUBJECT = {
  name: 'ADDRESS|MXID',
  about:
    'An email address, a phone number with its calling code, or a Matrix user id, with all addresses that are bound to it',
  required: true,
} as const;

/** All kinds of what is kept. */
const KINDS = [
  ...['sessions', 'messages', 'invitations', 'invitation_keys', 'notices', 'received_deletions'],
  ...['owner_notices', 'owner_sessions', 'account', 'bindings', 'replication_log', TRAIL, REFUSAL],
];

/** The others are told among what remains. */
const isErased = (place: string) => place !== TRAIL && place !== REFUSAL;

/** @param value of each kind that there can be; which are there depends on whether it is an address or a user */
const ofEachKind = (value: Schema) =>
  anObject({}, Object.fromEntries(KINDS.map((kind) => [kind, value])));

const ROW = aMap({ type: ['string', 'number', 'boolean', 'null'] });
const COMMON = { addresses: aList(aString), remains: aList(aString) };
const EXPORT: Schema = anObject(
  { ...COMMON, kept: ofEachKind(aList(ROW)), log_lines: aList(aString) },
  { user: aString },
);
const ERASURE: Schema = anObject(
  { ...COMMON, erased: aBoolean, kept: ofEachKind(anInteger), waiting_for: aList(aString) },
  { user: aString, traces: anInteger },
);

/** Everything that is kept about someone, to be given to them. */
export const exportPerson: Operation<Export> = {
  resource: 'export',
  kind: 'person',
  operatorsOnly: true,
  summary: 'Everything that is kept about an address or a user, to be given to whom it is about',
  argument: SUBJECT,
  result: EXPORT as Schema<Export>,
  async run({ argument = '' }, context) {
    const found = await findPerson(argument, context);
    const { remains, naming } = await remainsOf(found, context);
    const addresses = found.addresses.map(({ address }) => address);
    return { user: found.user, addresses, kept: found.kept, log_lines: naming.lines, remains };
  },
  text: (result) => JSON.stringify(result, null, 2),
  found: ({ kept, log_lines: logLines }) =>
    logLines.length > 0 ||
    Object.entries(kept).some(([place, rows]) => place !== TRAIL && rows.length > 0),
};

/** Peers that do not know yet that these addresses are bound no more. */
async function waitingFor({ storage }: OperationContext, { addresses }: Found): Promise<string[]> {
  const names = new Set<string>();
  for (const { medium, address } of addresses) {
    for (const { id, mxid } of await storage.stores.persons.statements(medium, address)) {
      if (mxid !== null) continue;
      for (const name of await storage.stores.erasures.waitingFor(Number(id))) names.add(name);
    }
  }
  return [...names];
}

/** Leaves nothing of it in the files; in how many places something may still show. */
async function clearFiles(
  { storage }: OperationContext,
  names: readonly string[],
  mayRewrite: boolean,
): Promise<number | undefined> {
  const { remnants } = storage;
  if (remnants === undefined) return undefined;
  if (!(await remnants.clear())) {
    throw new OperatorError(
      'All is erased, but another program reads an older state of the database for so long that its log (-wal) cannot be emptied. Run the command again',
    );
  }
  const traces = await remnants.traces(names);
  if (traces === 0 || remnants.rewrite === undefined) return traces;
  if (!mayRewrite && remnants.size() > REWRITTEN_UP_TO) return traces;
  await remnants.rewrite();
  return 0;
}

/** Erases everything that is kept about someone. */
export const erasePerson: Operation<Erasure> = {
  resource: 'erase',
  kind: 'change',
  summary:
    'Erases everything that is kept about an address or a user; without --yes, says what that is',
  argument: SUBJECT,
  result: ERASURE as Schema<Erasure>,
  flags: {
    yes: 'Does it',
    vacuum:
      'Writes a SQLite file of more than 256 MiB anew, too, where it shows what was deleted before; nobody can write meanwhile',
  },
  async run({ argument = '', flags }, context) {
    const found = await findPerson(argument, context);
    const { user, addresses } = found;
    const { remains } = await remainsOf(found, context);
    const counted = {
      user,
      addresses: addresses.map(({ address }) => address),
      kept: Object.fromEntries(
        Object.entries(found.kept).map(([place, rows]) => [place, rows.length]),
      ),
    };
    if (!flags.has('yes')) {
      return { erased: false, ...counted, waiting_for: [], traces: undefined, remains };
    }
    const deps = depsOf(context);
    if (user !== undefined) await eraseUser(deps, user, addresses);
    else for (const address of addresses) await eraseAddress(deps, address);
    await removeTombstones(deps);
    const waiting = await waitingFor(context, found);
    // As long as peers are waited for, the log names the address.
    const names = namesOf(found);
    const isGone = (name: string) => waiting.length === 0 || name === user;
    const traces = await clearFiles(context, names.filter(isGone), flags.has('vacuum'));
    return { erased: true, ...counted, waiting_for: waiting, traces, remains };
  },
  text({ erased, user, addresses, kept, waiting_for: waiting, traces, remains }) {
    const who = [...(user === undefined ? [] : [user]), ...addresses].map(plain).join(', ');
    const counts = Object.entries(kept)
      .filter(([place]) => isErased(place))
      .map(([place, count]) => `  ${place}  ${count}`);
    return [
      erased ? `Erased: ${who}` : `To be erased, with --yes: ${who}`,
      ...counts,
      waiting.length > 0
        ? `The deletion, with the address in it, is kept until these peers have it: ${waiting.map(plain).join(', ')}`
        : undefined,
      traces !== undefined && traces > 0
        ? `The database's file shows it in ${traces} places where nothing is any more: --vacuum writes the file anew`
        : undefined,
      'What remains:',
      lines(remains, (one) => `  ${plain(one)}`, ''),
    ]
      .filter((line) => line !== undefined)
      .join('\n');
  },
  found: ({ kept }) => Object.entries(kept).some(([place, count]) => isErased(place) && count > 0),
};
