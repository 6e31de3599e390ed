import { beginRotation, MOST_FORMER, possibleFrom } from '../identity/peppers/rotation.ts';
import { workOn } from '../identity/peppers/rotation-work.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  type Described,
  describedAs,
} from '../model/json-schema.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { type Operation, type OperationContext, StateError } from './operation.ts';
import { time } from './text.ts';

const MEMBERS = {
  phase: aWordOf('settled', 'rotating', 'grace'),
  lookup_pepper: describedAs('The one in force', aString),
  alt_lookup_peppers: describedAs(
    'Former ones that work still',
    aList(anObject({ lookup_pepper: aString, until: anInteger })),
  ),
};
const MORE = {
  since: anInteger,
  rotation: anObject({ begun: anInteger, percent: anInteger }),
  possible_from: describedAs(
    'When the next rotation can begin, where as many former ones work as may',
    anInteger,
  ),
};

const STATUS = anObject(MEMBERS, MORE);
type Status = Described<typeof STATUS>;

/** The pepper of that number. @throws OperatorError where hashing_metadata has none */
async function pepperOf(
  { stores }: OperationContext['storage'],
  { pepper }: { readonly pepper?: string | undefined },
): Promise<string> {
  const text = pepper ?? (await stores.verification.pepper());
  if (text !== undefined) return text;
  throw new OperatorError('The database has no pepper yet; start the server once first');
}

async function statusOf({ storage, clock }: OperationContext): Promise<Status> {
  const known = await storage.stores.peppers.read();
  const { current, next, former } = known;
  const now = clock.now();
  const works = former.filter(({ until }) => until > now);
  return {
    phase: next !== undefined ? 'rotating' : works.length > 0 ? 'grace' : 'settled',
    lookup_pepper: await pepperOf(storage, current),
    since: current.since,
    alt_lookup_peppers: await Promise.all(
      works.map(async (each) => ({
        lookup_pepper: await pepperOf(storage, each),
        until: each.until,
      })),
    ),
    rotation: next && {
      begun: next.begun,
      percent: (await workOn(storage.stores.state, next.number))?.percent ?? 0,
    },
    possible_from: former.length < MOST_FORMER ? undefined : possibleFrom(known),
  };
}

const linesOf = ({ lookup_pepper: pepper, since, alt_lookup_peppers: former, rotation }: Status) =>
  [
    `in force  ${pepper}  since ${since === undefined ? 'before it was first rotated' : time(since)}`,
    ...former.map((each) => `former    ${each.lookup_pepper}  until ${time(each.until)}`),
    ...(rotation ? [`rotating  ${rotation.percent} %  since ${time(rotation.begun)}`] : []),
  ].join('\n');

/** Rotates the pepper; in a server that begins it, and the rest follows. */
export const rotatePepper: Operation<Status & { readonly joined: boolean }> = {
  resource: 'pepper',
  about: 'The pepper by which clients hash the addresses that they look up',
  action: 'rotate',
  kind: 'change',
  needsState: true,
  summary:
    'Makes a new pepper, hashes all keys of lookups with it, and then announces it; the one before it works on for [lookup_pepper] grace_hours. A running server does the work, else the command; the admin API answers when it has begun',
  flags: {
    'no-wait': 'Leave it to a running server once it has begun; over the admin API always so',
  },
  result: anObject(
    { ...MEMBERS, joined: describedAs('A rotation was under way already', aBoolean) },
    MORE,
  ),
  async run({ flags }, context) {
    const { config, storage } = context;
    if (config.db.engine === 'sqlite' && config.db.file === ':memory:') {
      throw new StateError('The database is in memory: its pepper ends with the server');
    }
    await pepperOf(storage, {});
    const begun = await beginRotation(storage, context);
    if (begun.outcome === 'too-many') {
      throw new StateError(
        `Three former peppers work still, and there may be no more; the next rotation is possible from ${time(begun.until)} on`,
      );
    }
    if (begun.outcome === 'older-nodes') {
      throw new StateError(
        'Nodes of a version that knows one pepper only use the database: upgrade all of them first',
      );
    }
    if (!flags.has('no-wait')) await context.seeRotationThrough(begun.number);
    return { ...(await statusOf(context)), joined: begun.outcome === 'under-way' };
  },
  text: (status) =>
    `${status.joined ? 'a rotation was under way already\n' : ''}${linesOf(status)}`,
};

/** Which peppers lookups may name, and how far a rotation is. */
export const showPepper: Operation<Status> = {
  resource: 'pepper',
  action: 'status',
  kind: 'overview',
  summary: 'The pepper in force, how far a rotation is, and when former peppers end',
  result: STATUS,
  run: (_input, context) => statusOf(context),
  text: linesOf,
};
