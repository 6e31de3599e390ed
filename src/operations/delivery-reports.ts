import { noteReport, REPORTED } from '../identity/messages/delivery-reports.ts';
import { anObject, aString, aWordOf, type Schema } from '../model/json-schema.ts';
import { textOf } from './input.ts';
import { InputError, type Operation } from './operation.ts';
import { plain } from './text.ts';

/** What was made of a message that came back. */
interface Taken {
  /** `no_report`: it says nothing of a delivery. */
  readonly outcome: 'noted' | 'unknown' | 'repeated' | 'no_report';
  readonly event?: string | undefined;
  readonly message_id?: string | undefined;
  readonly status?: string | undefined;
}

const TAKEN = anObject(
  { outcome: aWordOf('noted', 'unknown', 'repeated', 'no_report') },
  { event: aWordOf(...REPORTED), message_id: aString, status: aString },
);

/** The first so many octets; what comes behind is read, as a mail system takes it ill when nobody does, and left. */
async function firstOf(
  source: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  most: number,
): Promise<Buffer> {
  const portions: Uint8Array[] = [];
  let length = 0;
  for await (const portion of source) {
    if (length >= most) continue;
    portions.push(portion);
    length += portion.length;
  }
  return Buffer.concat(portions).subarray(0, most);
}

const WORDS: Record<Taken['outcome'], string> = {
  noted: 'noted',
  unknown: 'about no mail that is remembered here',
  repeated: 'there were as many of this mail as are kept',
  no_report: 'no report on a delivery',
};

/** Takes in what comes back to the sender of mails. */
export const takeDeliveryReport: Operation<Taken> = {
  resource: 'mail',
  action: 'bounced',
  kind: 'change',
  // Programs call it for whatever comes; what is noted stands in the trail of messages.
  unrecorded: true,
  summary:
    'Takes in a message that came back to the sender of mails, so that trace shows what became of the mail',
  options: {
    from: {
      name: 'FILE',
      about: 'The whole message; - reads standard input',
      isFile: true,
    },
  },
  result: TAKEN as Schema<Taken>,
  async run(input, { storage, clock, deliveryReports }) {
    const source = textOf(input, 'from');
    if (source === undefined) throw new InputError('from must be given', 'from');
    const report = deliveryReports.read(await firstOf(source, deliveryReports.mostOctets));
    if (report === undefined) return { outcome: 'no_report' };
    const outcome = await noteReport({ storage, clock }, report);
    if (outcome === 'unknown') return { outcome };
    const { event, messageId, status } = report;
    return { outcome, event, message_id: messageId, status };
  },
  text: ({ outcome, event, message_id: id, status }) =>
    [WORDS[outcome], event, status, id]
      .filter((part) => part !== undefined)
      .map(plain)
      .join(' '),
};
