import { casefold, type FoldedAddress } from '../identity/associations/casefold.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  type Schema,
} from '../model/json-schema.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { Operation } from './operation.ts';
import { lines, plain } from './text.ts';

/** So many addresses are told one by one. */
const MOST = 1000;

/** So many addresses one after the other that are left mean that no mail goes out at all. */
const LEFT_IN_A_ROW = 10;

/** What has become of addresses that were bound in other spellings than the folded one. */
interface Casefolded {
  readonly dry_run: boolean;
  /** How many are put, or are to be put, under the folded address. */
  readonly folded: number;
  /** Bindings of another user that are removed by that. */
  readonly removed: number;
  /** Those to whom a mail could not be sent, and which were bound meanwhile: as they were. */
  readonly left: number;
  /** Those of them of which a user is removed, the first 1,000. */
  readonly addresses: readonly FoldedAddress[];
}

const FOLDED = anObject(
  {
    address: aString,
    removed: aList(anObject({ to: aString, mxid: aString })),
    left: aBoolean,
  },
  { mxid: aString },
);
const CASEFOLDED = anObject({
  dry_run: aBoolean,
  folded: anInteger,
  removed: anInteger,
  left: anInteger,
  addresses: aList(FOLDED),
});

/** One binding for each address, whatever the case it is written in. */
export const casefoldAddresses: Operation<Casefolded> = {
  resource: 'casefold',
  kind: 'change',
  summary:
    'Puts email addresses that old Sydents bound in several spellings under one: the newest binding stays, and the users of the others are told by mail',
  flags: {
    'dry-run': 'Only looks what would become of them',
    'no-email': 'Tells nobody',
  },
  result: CASEFOLDED as Schema<Casefolded>,
  async run({ flags }, context) {
    const { storage, keys, clock, progress } = context;
    const pepper = await storage.stores.verification.pepper();
    if (pepper === undefined) {
      throw new OperatorError('The database has no pepper yet; start the server once first');
    }
    const isDry = flags.has('dry-run');
    const mails = flags.has('no-email') || isDry ? undefined : context.migrationMails();
    const deps = { storage, pepper, keys, clock, progress, sendMail: mails?.send };
    const counted = { folded: 0, removed: 0, left: 0 };
    const addresses: FoldedAddress[] = [];
    let leftInARow = 0;
    try {
      for await (const one of casefold(deps, isDry)) {
        leftInARow = one.left ? leftInARow + 1 : 0;
        if (leftInARow === LEFT_IN_A_ROW) {
          throw new OperatorError(
            `Mails cannot be sent: ${LEFT_IN_A_ROW} addresses in a row are left as they were; see to [email], or give --no-email`,
          );
        }
        if (one.left) counted.left++;
        else {
          counted.folded++;
          counted.removed += one.removed.length;
        }
        if (one.removed.length > 0 && addresses.length < MOST) addresses.push(one);
      }
    } finally {
      await mails?.close();
    }
    return { dry_run: isDry, ...counted, addresses };
  },
  text({ dry_run: isDry, folded, removed, left, addresses }) {
    const head = isDry
      ? `To be folded: ${folded} addresses, of which ${removed} bindings are to be removed`
      : `${folded} addresses folded, ${removed} bindings removed, ${left} left as they were`;
    const listed = lines(
      addresses,
      (one) => {
        const from = one.removed.map(({ to, mxid }) => `${plain(mxid)} (${plain(to)})`).join(', ');
        const leads = one.mxid === undefined ? 'nobody' : plain(one.mxid);
        return `${plain(one.address)} → ${leads}, no longer ${from}${one.left ? ': left, a mail could not be sent' : ''}`;
      },
      '',
    );
    return [head, listed].filter((part) => part !== '').join('\n');
  },
  succeeded: ({ left }) => left === 0,
};
