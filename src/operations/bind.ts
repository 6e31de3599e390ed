import { type BoundMany, bindingInForce, bindMany } from '../identity/associations/bind-many.ts';
import { foldAddress, type ThreePid } from '../model/addresses.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  eitherOf,
  type Schema,
} from '../model/json-schema.ts';
import { homeserverOf, LONGEST_MXID, parseMxid } from '../model/mxid.ts';
import { textLines } from '../platform/text-lines.ts';
import { parseThreePidOf, textOf } from './input.ts';
import { InputError, type Operation, type OperationContext } from './operation.ts';
import { lines, plain } from './text.ts';

const MXID = { name: 'MXID', about: 'A Matrix user id', positional: true } as const;

/** Bytes of a line; an address and a user id fit into it. */
const LONGEST_LINE = 4096;
/** So many lines that failed are told one by one. */
const MOST_FAILURES = 1000;

interface FailedLine {
  readonly line: number;
  readonly reason: string;
}

/** What has become of one binding. */
interface Bound {
  readonly medium: string;
  readonly address: string;
  readonly mxid: string;
  /** Whom it was bound to before. */
  readonly replaced: string | undefined;
  /** The homeserver that is told. */
  readonly homeserver: string | undefined;
}

/** What has become of the lines of a file. */
interface BoundLines extends BoundMany {
  readonly dry_run: boolean;
  readonly lines: number;
  readonly failed: number;
  /** The first of those that failed. */
  readonly failures: readonly FailedLine[];
}

/** @throws InputError */
function readMxid(text: string | undefined): string {
  if (text !== undefined && parseMxid(text) !== undefined) return text;
  throw new InputError(`${JSON.stringify(text ?? '')} is no Matrix user id`);
}

/** The two fields of a line, of which each may stand in quotes. @throws InputError */
function parseBindLine(text: string): { threepid: ThreePid; mxid: string } {
  const fields = text.split(',').map((field) =>
    field
      .trim()
      .replace(/^"([^"]*)"$/, '$1')
      .trim(),
  );
  const [address = '', mxid = '', ...more] = fields;
  if (address === '' || mxid === '' || more.length > 0) {
    throw new InputError('is not of the form ADDRESS,MXID');
  }
  return { threepid: parseThreePidOf(address), mxid: readMxid(mxid) };
}

async function bindFile(
  text: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  isDry: boolean,
  context: OperationContext,
): Promise<BoundLines> {
  const { storage, clock, keys, progress } = context;
  const failures: FailedLine[] = [];
  let [count, failed] = [0, 0];
  const task = await progress.begin(isDry ? 'Looking at lines' : 'Binding lines', 0);

  async function* bindings() {
    for await (const line of textLines(text, LONGEST_LINE)) {
      if (line.text?.trim() === '') continue;
      count++;
      await task.advance(1);
      try {
        if (line.text === undefined) throw new InputError('is too long, or no UTF-8');
        yield parseBindLine(line.text);
      } catch (error) {
        if (!(error instanceof InputError)) throw error;
        failed++;
        if (failures.length < MOST_FAILURES) {
          failures.push({ line: line.number, reason: error.message });
        }
      }
    }
  }

  const associations = await context.associations();
  const deps = { storage, associations, clock, serverName: keys.serverName };
  const done = await bindMany(bindings(), deps, isDry);
  task.end();
  return { dry_run: isDry, lines: count, ...done, failed, failures };
}

async function bindOne(
  threepid: ThreePid,
  mxid: string,
  isDry: boolean,
  context: OperationContext,
): Promise<Bound> {
  const before = await bindingInForce(context.storage, threepid, context.clock.now());
  if (!isDry) await (await context.associations()).bind(threepid, mxid);
  const { medium, address } = threepid;
  const replaced = before?.mxid === mxid ? undefined : before?.mxid;
  return { medium, address, mxid, replaced, homeserver: homeserverOf(mxid) };
}

const BOUND = anObject(
  { medium: aString, address: aString, mxid: aString },
  { replaced: aString, homeserver: aString },
);
const BOUND_LINES = anObject({
  dry_run: aBoolean,
  lines: anInteger,
  bound: anInteger,
  replaced: anInteger,
  unchanged: anInteger,
  failed: anInteger,
  failures: aList(anObject({ line: anInteger, reason: aString })),
});

/** Binds without validation: the operator knows whose an address is. */
export const bind: Operation<Bound | BoundLines> = {
  resource: 'bind',
  kind: 'change',
  summary:
    'Binds an address to a user without validation, or many: their homeservers are told, and peers. A file has a line ADDRESS,MXID for each; what is bound so already is left alone',
  argument: {
    name: 'ADDRESS',
    about: 'An email address, or a phone number with its calling code',
    required: false,
  },
  options: {
    mxid: MXID,
    from: { name: 'FILE', about: 'Binds what stands in it (- is standard input)', isFile: true },
  },
  result: eitherOf(BOUND, BOUND_LINES) as Schema<Bound | BoundLines>,
  flags: { 'dry-run': 'Only looks what would become of it' },
  async run(input, context) {
    const isDry = input.flags.has('dry-run');
    const text = textOf(input, 'from');
    const { argument } = input;
    const mxid = input.options['mxid'];
    const isOne = argument !== undefined && mxid !== undefined;
    const isAny = argument !== undefined || mxid !== undefined;
    if (text === undefined ? !isOne : isAny) {
      throw new InputError('bind wants ADDRESS and MXID, or --from FILE');
    }
    if (text !== undefined) return bindFile(text, isDry, context);
    return bindOne(parseThreePidOf(argument ?? ''), readMxid(mxid), isDry, context);
  },
  text(result) {
    if ('homeserver' in result) {
      const { medium, address, mxid, replaced, homeserver } = result;
      const instead = replaced === undefined ? '' : `, in place of ${plain(replaced)}`;
      const told = homeserver ?? 'nobody: there is no homeserver in it';
      return `${medium} ${plain(address)} → ${plain(mxid)}${instead}; to be told: ${plain(told)}`;
    }
    const { bound, replaced, unchanged, failed, failures } = result;
    const head = `${result.lines} lines${result.dry_run ? ', nothing changed' : ''}: ${bound} bound, ${replaced} in place of another user, ${unchanged} as they were, ${failed} failed`;
    const listed = lines(failures, ({ line, reason }) => `line ${line}: ${plain(reason)}`, '');
    const more = failed - failures.length;
    return [head, listed, more > 0 ? `and ${more} more` : '']
      .filter((part) => part !== '')
      .join('\n');
  },
  succeeded: (result) => !('failed' in result) || result.failed === 0,
};

const LONGEST_REASON = 200;
/** An address, a user id, or a number as long as a phone's. */
const NAMES_SOMEBODY = /@|\d{6}/;

/** Takes back a binding. */
export const unbind: Operation<{ readonly unbound: boolean }> = {
  resource: 'unbind',
  kind: 'change',
  summary: 'Takes back a binding of this server to exactly that user; peers are told',
  argument: { name: 'ADDRESS', about: 'As it is bound', required: true },
  options: {
    mxid: { ...MXID, about: 'As it is bound' },
    reason: { name: 'TEXT', about: 'Why, for the trail; it is to name nobody' },
  },
  result: anObject({ unbound: aBoolean }),
  async run({ argument = '', options: { mxid = '', reason = '' } }, context) {
    if (reason.length > LONGEST_REASON || NAMES_SOMEBODY.test(reason)) {
      throw new InputError(
        'The reason must be short and name nobody: it stays in the trail when people are erased',
        'reason',
      );
    }
    if (Buffer.byteLength(mxid) > LONGEST_MXID) throw new InputError('That user id is too long');
    const { medium, address } = boundAddress(argument);
    const associations = await context.associations();
    return { unbound: await associations.unbind({ medium, address }, mxid, 'operator') };
  },
  text: ({ unbound }) => (unbound ? 'unbound' : 'this server has no such binding'),
  found: ({ unbound }) => unbound,
};

/** What was bound long ago may be no address that could be bound today. */
function boundAddress(text: string): { medium: string; address: string } {
  try {
    return parseThreePidOf(text);
  } catch {
    return { medium: 'email', address: foldAddress('email', text) };
  }
}
