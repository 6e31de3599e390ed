import { signedFault } from '../identity/verification/signed-fault.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  type Described,
  describedAs,
} from '../model/json-schema.ts';
import { isNewer } from '../model/precedence.ts';
import { isSameServer } from '../model/server-name.ts';
import type { AssociationRow } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, parseSubject, readPage } from './input.ts';
import type { Operation, OperationContext } from './operation.ts';
import { lines, plain, time } from './text.ts';

/** An association, as an operator sees it; times in milliseconds. */
const ASSOCIATION = anObject({
  id: anInteger,
  medium: aString,
  address: aString,
  mxid: aString,
  since: anInteger,
  not_before: anInteger,
  not_after: anInteger,
  origin: describedAs('The server that made it', aString),
  signature: describedAs(
    '`good`; `of a peer`, whose key is not asked for here; else what is wrong with it',
    aString,
  ),
  signed: describedAs('The JSON that was signed, as clients and homeservers have it', aString),
  in_force: describedAs('Whether it is the one that lookups of its address answer', aBoolean),
});
export type SeenAssociation = Described<typeof ASSOCIATION>;

async function signatureOf(row: AssociationRow, { keys }: OperationContext): Promise<string> {
  const fault = await signedFault(row, keys);
  if (fault !== undefined) return fault;
  return isSameServer(row.originServer, keys.serverName) ? 'good' : 'of a peer';
}

async function seen(
  row: AssociationRow,
  inForce: AssociationRow | undefined,
  context: OperationContext,
): Promise<SeenAssociation> {
  const { id, medium, address, mxid, ts, notBefore, notAfter, originServer, signedJson } = row;
  return {
    id,
    medium,
    address,
    mxid,
    since: ts,
    not_before: notBefore,
    not_after: notAfter,
    origin: originServer,
    signature: await signatureOf(row, context),
    signed: signedJson,
    in_force: inForce?.id === id,
  };
}

/** The one that lookups answer, of the associations of an address. */
function inForceOf(rows: readonly AssociationRow[], now: number): AssociationRow | undefined {
  let newest: AssociationRow | undefined;
  for (const row of rows) {
    if (row.notBefore <= now && row.notAfter > now && isNewer(row, newest)) newest = row;
  }
  return newest;
}

/** Whose an address is, or which addresses a user has. */
export const lookup: Operation<readonly SeenAssociation[]> = {
  resource: 'lookup',
  kind: 'person',
  summary:
    'Whose an address is, or which addresses a user has: of which server, since when, signed well',
  argument: {
    name: 'ADDRESS|MXID',
    about: 'An email address, a phone number with its calling code, or a Matrix user id',
    required: true,
  },
  options: PAGE_OPTIONS,
  result: aList(ASSOCIATION),
  async run(input, context) {
    const { overview } = context.storage.stores;
    const now = context.clock.now();
    const subject = parseSubject(input.argument ?? '');
    const page = readPage(input);
    if (subject.kind === 'address') {
      const rows = await overview.associationsAt(subject.medium, subject.address);
      const inForce = inForceOf(rows, now);
      return Promise.all(rows.map((row) => seen(row, inForce, context)));
    }
    const rows = await overview.associationsOf(subject.mxid, page);
    const all: SeenAssociation[] = [];
    for (const row of rows) {
      const others = await overview.associationsAt(row.medium, row.address);
      all.push(await seen(row, inForceOf(others, now), context));
    }
    return all;
  },
  text: (all) =>
    lines(
      all,
      ({ medium, address, mxid, since, origin, signature, in_force: inForce }) =>
        `${medium} ${plain(address)} → ${plain(mxid)}  since ${time(since)}, by ${plain(origin)}, signature ${signature}${inForce ? '' : '; not in force'}`,
      'nothing found',
    ),
  found: (all) => all.length > 0,
};
