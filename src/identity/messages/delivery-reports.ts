import { parseThreePid } from '../../model/addresses.ts';
import type { Clock } from '../../platform/clock.ts';
import type { MessageEvent, Storage, Stores } from '../../storage/stores/index.ts';
import { newMessageEvent } from './message-trail.ts';

/** What can become of a mail after the relay has taken it. */
export const REPORTED = ['bounced', 'delayed', 'delivered'] as const;
export type Reported = (typeof REPORTED)[number];

/** What a mail server says of a mail that it, or another, could not deliver or has delivered (RFC 3464). */
export interface DeliveryReport {
  readonly event: Reported;
  /** Of the mail that it is about, as it was sent; undefined where nothing of that came back. */
  readonly messageId: string | undefined;
  /** Addresses that it may be about, as they are written there. */
  readonly addresses: readonly string[];
  /** As `5.1.1`. */
  readonly status: string | undefined;
  /** What the server that refused it says. */
  readonly reply: string | undefined;
  readonly remote: string | undefined;
}

/** What became of a report: `unknown`, where it is about no mail of ours; `repeated`, where there were enough of that mail. */
export type ReportOutcome = 'noted' | 'unknown' | 'repeated';

/** Of one mail: who got it could make up more, and push out what else is known of their address. */
const MOST_OF_A_MAIL = 8;
/** The state that counts them, for all processes on the database. */
const COUNTS = 'mail_reports';

/** How many there were of each kind. */
export async function reportCounts({
  state,
}: Pick<Stores, 'state'>): Promise<Record<Reported, number>> {
  const counted: unknown = JSON.parse((await state.get(COUNTS)) ?? '{}');
  const of = (event: Reported) =>
    Number((counted as Partial<Record<Reported, number>>)[event] ?? 0);
  return { bounced: of('bounced'), delayed: of('delayed'), delivered: of('delivered') };
}

const isReport = ({ event }: MessageEvent) => (REPORTED as readonly string[]).includes(event);
const wasSent = ({ event }: MessageEvent) => event === 'sent' || event === 'unknown';

/** The events of the mail that it is about, that of its being sent first; none where it was not sent from here. */
async function eventsOf(
  { messageEvents }: Stores,
  report: DeliveryReport,
): Promise<MessageEvent[]> {
  if (report.messageId === undefined) return [];
  const folded = report.addresses.map((address) => parseThreePid('email', address)?.address);
  for (const address of new Set(folded)) {
    if (address === undefined) continue;
    const events = await messageEvents.of('email', address);
    const own = events.filter(({ details }) => details['message_id'] === report.messageId);
    const sent = own.find(wasSent);
    if (sent !== undefined) return [sent, ...own.filter(isReport)];
  }
  return [];
}

/**
 * Takes down what became of a mail. Only who has seen a mail knows its Message-ID, so nobody can make up what became of
 * others.
 */
export async function noteReport(
  {
    storage,
    clock,
  }: { readonly storage: Pick<Storage, 'stores' | 'logTransaction'>; readonly clock: Clock },
  report: DeliveryReport,
): Promise<ReportOutcome> {
  // Most of what comes to such a mailbox is about nothing of ours: for that nobody has to wait.
  if ((await eventsOf(storage.stores, report)).length === 0) return 'unknown';
  // Under the log's lock: counts are not lost, and of several reports at once no more are taken than may be.
  return storage.logTransaction(async (stores) => {
    const [sent, ...before] = await eventsOf(stores, report);
    if (sent === undefined) return 'unknown';
    const times = before.reduce((sum, one) => sum + one.times, 0);
    if (times >= MOST_OF_A_MAIL) return 'repeated';
    const { event, messageId, status, reply, remote } = report;
    const { what } = sent.details;
    const details = { what, message_id: messageId, status, reply, remote };
    const { medium, address } = sent;
    await stores.messageEvents.add([
      newMessageEvent({ event, medium, address, details }, clock.now()),
    ]);
    const counts = await reportCounts(stores);
    await stores.state.set(COUNTS, JSON.stringify({ ...counts, [event]: counts[event] + 1 }));
    return 'noted';
  });
}
