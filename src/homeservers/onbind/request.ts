import { LONGEST_WAIT } from '../../model/notice-waits.ts';
import type { OutboundAnswer } from '../../platform/outbound/outbound.ts';
import { OutboundError } from '../../platform/outbound/outbound-error.ts';
import type { FederationClient } from '../federation-client.ts';
import { jsonObject } from '../json.ts';
import { type HomeserverTimings, TIMINGS } from '../timings.ts';
import type { NoticeAnswer, SendNotice } from './delivery.ts';

const PATH = '/_matrix/federation/v1/3pid/onbind';
const ANSWER_LIMIT = 64 * 1024;

function errcodeOf({ body }: OutboundAnswer): string | undefined {
  const errcode = jsonObject(body)?.['errcode'];
  return typeof errcode === 'string' ? errcode : undefined;
}

/** Milliseconds that the homeserver wants to be left alone: by Retry-After, or as Matrix said it before. */
function retryAfter(answer: OutboundAnswer): number {
  const header = answer.headers['retry-after'];
  const inBody = jsonObject(answer.body)?.['retry_after_ms'];
  const wait =
    typeof header === 'string' && /^\d{1,9}$/.test(header)
      ? Number(header) * 1000
      : typeof inBody === 'number'
        ? inBody
        : 0;
  return Math.min(Math.max(wait, 0), LONGEST_WAIT);
}

const isUnknownMethod = ({ status }: OutboundAnswer) => status === 404 || status === 405;

/** Whether it is about this notice alone: where nobody knows the path, all of them fare the same. */
function isRefusal(answer: OutboundAnswer): boolean {
  const { status } = answer;
  if (status < 400 || status > 499 || status === 408 || status === 429) return false;
  if (!isUnknownMethod(answer)) return true;
  const errcode = errcodeOf(answer);
  return errcode !== undefined && errcode !== 'M_UNRECOGNIZED';
}

function verdict(answer: OutboundAnswer): NoticeAnswer {
  if (answer.status >= 200 && answer.status < 300) return { kind: 'taken' };
  const reason = `status ${answer.status}`;
  if (isRefusal(answer)) return { kind: 'refused', reason };
  return { kind: 'not-now', reason, wait: retryAfter(answer) };
}

/**
 * Tells a homeserver of a binding of one of its users. Homeservers take POST, the specification says
 * PUT: where the one is not understood, the other is tried.
 * @param timings for each of them, where they are not to be the usual ones
 */
export function createOnbind(
  federation: FederationClient,
  timings: Pick<HomeserverTimings, 'notice' | 'noticeWithInvites'> = TIMINGS,
): SendNotice {
  return async (serverName, body, isOwed) => {
    const time = body.invites.length > 0 ? timings.noticeWithInvites : timings.notice;
    const beforeSending = async () => {
      if (!(await isOwed())) throw new NotOwedError();
    };
    const send = (method: 'POST' | 'PUT') =>
      federation.request({
        method,
        serverName,
        path: PATH,
        body,
        room: 'notices',
        time,
        beforeSending,
        maxBytes: ANSWER_LIMIT,
      });
    try {
      const posted = await send('POST');
      if (!isUnknownMethod(posted)) return verdict(posted);
      const put = await send('PUT');
      return verdict(isUnknownMethod(put) ? posted : put);
    } catch (error) {
      if (error instanceof NotOwedError) return { kind: 'not-sent' };
      if (!(error instanceof OutboundError)) throw error;
      return { kind: 'not-now', reason: error.message, wait: 0 };
    }
  };
}

/** Nothing is owed to the homeserver any more. */
class NotOwedError extends Error {
  override readonly name = 'NotOwedError';
}
