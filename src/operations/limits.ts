import { type LimitHit, limitHits, wantReset } from '../identity/limits/limit-hits.ts';
import { aList, anInteger, anObject, aString, named } from '../model/json-schema.ts';
import { InputError, type Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

const LONGEST = 255;

const HIT = named(
  'LimitHit',
  anObject({ limit: aString, key: aString, times: anInteger, last: anInteger }),
);

/** Who was refused, or would have been, within the last hour. */
export const listLimits: Operation<readonly LimitHit[]> = {
  resource: 'limits',
  about: 'Who meets limits',
  action: 'list',
  kind: 'overview',
  summary:
    'Who met a limit within the last hour, the last first; client networks as the log names them',
  result: aList(HIT),
  run: (_input, { storage, clock }) => limitHits(storage.stores, clock.now()),
  text: (all) =>
    lines(
      all,
      ({ limit, key, times, last }) =>
        `${limit}  ${key === '' ? 'all together' : plain(key)}  ${times} times, the last ${time(last)}`,
      'nobody has met a limit within the last hour',
    ),
};

/** Gives somebody the whole of their allowance again. */
export const resetLimits: Operation<{ readonly key: string }> = {
  resource: 'limits',
  action: 'reset',
  kind: 'change',
  summary:
    'Lets somebody through who has met limits: running servers forget what they counted of them',
  argument: {
    name: 'KEY',
    about:
      'A user id, an email address or phone number, a client’s IP address, a homeserver, a domain; or a limit, such as mail.total; or as limits list shows it',
    required: true,
  },
  result: anObject({ key: aString }),
  async run({ argument = '' }, { storage, clock }) {
    const key = argument.trim();
    if (key === '' || key.length > LONGEST) throw new InputError('the key is missing, or too long');
    await wantReset({ storage, clock }, key);
    return { key };
  },
  text: () => 'running servers let it through within a few seconds',
};
