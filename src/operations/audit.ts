import {
  aBoolean,
  aList,
  aMap,
  anInteger,
  anObject,
  aString,
  eitherOf,
} from '../model/json-schema.ts';
import type { AuditEntry } from '../storage/stores/index.ts';
import { PAGE_OPTIONS, readPage, readTime } from './input.ts';
import type { Operation } from './operation.ts';
import { nameFor } from './recorded.ts';
import { lines, plain, time } from './text.ts';

const shownDetails = (details: AuditEntry['details']) =>
  Object.entries(details)
    .map(([name, value]) => (value === true ? `--${name}` : `--${name} ${plain(value)}`))
    .join(' ');

/** What operators did, and whom they looked at. */
export const listAudit: Operation<readonly AuditEntry[]> = {
  resource: 'audit',
  about: 'What operators did',
  action: 'list',
  kind: 'person',
  operatorsOnly: true,
  summary: 'Who changed what, and looked at whom: of all, about one, or by one',
  argument: {
    name: 'ADDRESS|MXID',
    about: 'About whom, or whatever else an operation was about',
    required: false,
  },
  options: {
    ...PAGE_OPTIONS,
    who: { name: 'NAME', about: 'Only what they did: as the list names them' },
    since: { name: 'TIME', about: 'Only from then on: 2026-11-27, or 2026-11-27T14:00:00Z' },
  },
  flags: { newest: 'The newest first; `after` goes back from there' },
  result: aList(
    anObject(
      {
        id: anInteger,
        at: anInteger,
        who: aString,
        via: aString,
        origin: aString,
        action: aString,
        details: aMap(eitherOf(aString, aBoolean)),
        outcome: aString,
      },
      { about: aString },
    ),
  ) as NonNullable<Operation<readonly AuditEntry[]>['result']>,
  async run(input, { storage }) {
    const { argument, options, flags } = input;
    const about = argument === undefined ? undefined : await nameFor(storage, argument);
    const which = { about, who: options['who'], since: readTime('since', options['since']) };
    const isNewestFirst = flags.has('newest');
    return storage.stores.audit.list(which, readPage(input), isNewestFirst);
  },
  text: (all) =>
    lines(
      all,
      (one) =>
        `${one.id}  ${time(one.at)}  ${plain(one.who)}, ${one.via} from ${plain(one.origin)}: ${[one.action, plain(one.about ?? ''), shownDetails(one.details)].filter((part) => part !== '').join(' ')}  ${one.outcome}`,
      'nothing',
    ),
};
