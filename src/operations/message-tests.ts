import { countTest, type TestedMessage } from '../identity/messages/test-messages.ts';
import { verdictOn } from '../identity/validation/destinations.ts';
import { type Medium, mailboxOf } from '../model/addresses.ts';
import {
  aBoolean,
  aList,
  aMap,
  aNumber,
  anObject,
  aString,
  aWordOf,
  eitherOf,
  type Schema,
} from '../model/json-schema.ts';
import { parseThreePidOf } from './input.ts';
import { InputError, type Operation, type OperationContext } from './operation.ts';
import { plain } from './text.ts';

const TESTED = anObject(
  {
    sent: aBoolean,
    outcome: aString,
    details: aMap(eitherOf(aString, aNumber)),
    dialogue: aList(anObject({ from: aWordOf('server', 'relay', 'provider'), line: aString })),
  },
  { advice: aString },
);

const notSent = (outcome: string, reason: string): TestedMessage => ({
  sent: false,
  outcome,
  details: { reason },
  dialogue: [],
});

/** Sends it, where there may be another test. */
async function tested(
  medium: Medium,
  { storage, clock }: OperationContext,
  send: () => Promise<TestedMessage>,
): Promise<TestedMessage> {
  const wait = await countTest(storage, clock, medium);
  if (wait === 0) return send();
  const minutes = Math.ceil(wait / 60_000);
  return notSent('limited', `10 tests an hour are allowed; try again in ${minutes} minutes`);
}

const text = ({ sent, outcome, details, dialogue, advice }: TestedMessage): string =>
  [
    ...dialogue.map(({ from, line }) => `${from === 'server' ? '>' : '<'} ${plain(line)}`),
    ...(dialogue.length > 0 ? [''] : []),
    sent ? 'Sent' : `Not sent (${outcome})`,
    ...Object.entries(details).map(([name, value]) => `  ${name}: ${plain(String(value))}`),
    ...(advice === undefined ? [] : [plain(advice)]),
  ].join('\n');

/** Whether the relay works: what it says, line by line. */
export const testMail: Operation<TestedMessage> = {
  resource: 'mail',
  about: 'Whether the relay works',
  action: 'test',
  kind: 'change',
  summary: 'Sends a test mail, and shows the dialogue with the relay; 10 an hour at most',
  argument: { name: 'ADDRESS', about: 'An email address', required: true },
  async run({ argument = '' }, context) {
    const threepid = parseThreePidOf(argument);
    if (threepid.medium !== 'email') {
      throw new InputError(`${JSON.stringify(argument)} is no email address`);
    }
    return tested('email', context, () => context.testMessages.mail(mailboxOf(threepid)));
  },
  text,
  succeeded: ({ sent }) => sent,
  result: TESTED as Schema<TestedMessage>,
};

/** Whether the provider of text messages works. */
export const testSms: Operation<TestedMessage> = {
  resource: 'sms',
  about: 'Whether the provider of text messages works',
  action: 'test',
  kind: 'change',
  summary: 'Sends a test text message, and shows what the provider answers; 10 an hour at most',
  argument: {
    name: 'NUMBER',
    about: 'A phone number with its calling code',
    required: true,
  },
  async run({ argument = '' }, context) {
    const threepid = parseThreePidOf(argument);
    const phone =
      threepid.medium === 'msisdn'
        ? await context.parsePhoneNumber(`+${threepid.address}`, '')
        : undefined;
    if (phone === undefined) {
      throw new InputError(`${JSON.stringify(argument)} is no phone number with its calling code`);
    }
    const { provider, rules } = context.config.sms;
    if (provider.name === 'openmarket' && !provider.usable) {
      const reason = 'there is nobody to send it: set sms.provider, or [sms] username and password';
      return notSent('off', reason);
    }
    if (verdictOn(phone, rules) === 'rejected') {
      return notSent('refused', 'messages to numbers that begin so are refused by an smsrule');
    }
    return tested('msisdn', context, () => context.testMessages.sms(phone));
  },
  text,
  succeeded: ({ sent }) => sent,
  result: TESTED as Schema<TestedMessage>,
};
