import type { ThreePid } from '../../model/addresses.ts';
import { IdentityError, reasonOf } from '../../model/errors.ts';
import type { Caller } from '../limits/charges.ts';
import type { MessageEventName, MessageKind } from './message-events.ts';
import type { MessageTrail } from './message-trail.ts';

/** A request for a message. */
export interface MessageRequest {
  readonly threepid: Pick<ThreePid, 'medium' | 'address'>;
  readonly what: MessageKind;
  readonly caller: Caller;
  /** Who asks, where that is not the caller: the sender of an invitation of version 1 only says so. */
  readonly sender?: string;
  readonly brand?: string | undefined;
}

/** Takes down what becomes of a request, up to the message's being handed over. */
export interface FollowedRequest {
  /** Does all of it: what is refused is taken down, and where nothing is to be sent, that. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Does what may still refuse; after it a message is on its way. */
  admit<T>(work: () => Promise<T>): Promise<T>;
}

export type FollowRequest = (request: MessageRequest) => FollowedRequest;

/** @param nameOf what a client network is called */
export const requestFollower =
  (
    trail: Pick<MessageTrail, 'note'>,
    nameOf: (network: string) => string | undefined,
  ): FollowRequest =>
  ({ threepid: { medium, address }, what, caller, sender, brand }) => {
    let isAdmitted = false;
    const client = caller.user === undefined ? { client: nameOf(caller.address) ?? 'unknown' } : {};
    const note = (event: MessageEventName, more: Record<string, string | undefined> = {}) =>
      trail.note({
        event,
        medium,
        address,
        mxid: caller.user ?? sender,
        details: { what, ...client, brand, ...more },
      });
    return {
      async run(work) {
        try {
          const result = await work();
          if (!isAdmitted) note('repeated');
          return result;
        } catch (error) {
          if (!isAdmitted && error instanceof IdentityError) {
            note('refused', { reason: reasonOf(error) ?? error.fault });
          }
          throw error;
        }
      },
      async admit(work) {
        const result = await work();
        isAdmitted = true;
        note('asked');
        return result;
      },
    };
  };
