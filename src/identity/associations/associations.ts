import type { ThreePid } from '../../model/addresses.ts';
import { lookupHash } from '../../model/lookup-hash.ts';
import { homeserverOf } from '../../model/mxid.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Storage, Stores } from '../../storage/stores/index.ts';
import type { Notices, SignedInvite } from '../invitations/onbind-notices.ts';
import { type Limits, limitExceeded } from '../limits/limits.ts';
import type { ServerKeys } from '../server-keys.ts';
import { SESSION_LIFETIME } from '../validation/session-codes.ts';
import { noteReplaced } from './contested.ts';
import { lookupKeys } from './lookup-keys.ts';
import { CLOCK_TOLERANCE, newAssociation, type SignedAssociation } from './signed-association.ts';

/** Binding addresses to users, and taking that back. */
export interface Associations {
  /**
   * Binds the address, in place of whomever it was bound to; seen by lookups once this resolves, and the
   * user's homeserver is told. Answers with the invitations that were pending, where there were any, and
   * with a warning where there is no homeserver to be told; the signature of the answer covers both.
   * @param mxid whatever is looked up then; no user id need be in it
   * @param sid the session that proved the address, where one did
   * @throws IdentityError `limit-exceeded` when the session has bound too often
   */
  bind(threepid: ThreePid, mxid: string, sid?: number): Promise<BoundAssociation>;
  /**
   * Takes back a binding of the folded address to exactly that user, and what is still owed for it to their
   * homeserver; anything else changes nothing.
   */
  unbind(threepid: { medium: string; address: string }, mxid: string): Promise<void>;
}

export type BoundAssociation = SignedAssociation & {
  readonly invites?: readonly SignedInvite[];
  readonly warning?: string;
};

export interface AssociationsDependencies {
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly notices: Pick<Notices, 'owe' | 'takeBack' | 'sign'>;
  readonly limits: Pick<Limits, 'most' | 'reached'>;
  /** Told after an entry of the log was committed. */
  readonly logged: () => void;
}

/** So many of the pending invitations are in a bind's answer; the homeserver gets them all. */
const INVITES_ANSWERED = 100;

const NOBODY_TOLD = 'mxid names no homeserver that could be told of this binding';

/** The state under which the id is kept up to which the local log is in the global table. */
export const LOG_POSITION = 'log_position';

export function createAssociations(deps: AssociationsDependencies): Associations {
  const { storage, keys, clock, notices, limits, logged } = deps;
  const { serverName } = keys;

  /**
   * Now, but after those dates that are not too far ahead: the newest wins, even when clocks step back. Peers
   * must take the date, so what stands at the very limit counts as beyond it.
   */
  const after = (now: number, ...dates: readonly (number | undefined)[]) =>
    Math.max(
      now,
      ...dates.flatMap((ts) => (ts === undefined || ts >= now + CLOCK_TOLERANCE ? [] : [ts + 1])),
    );

  /** When a binding made now is dated: after everything known of the address. */
  async function nextTs(stores: Stores, threepid: ThreePid, now: number): Promise<number> {
    const { medium, address } = threepid;
    const own = await stores.associations.findOwn(medium, address, serverName);
    const ahead = now + CLOCK_TOLERANCE;
    return after(now, own?.ts, await stores.associations.newestTs(medium, address, ahead));
  }

  /** In the bind's own transaction: one that is refused, or fails, does not count. */
  async function countBind({ sessions }: Stores, sid: number): Promise<void> {
    const binds = await sessions.countBind(sid);
    if (binds <= limits.most('bind.session') || !limits.reached('bind.session')) return;
    // Its address is to be proven anew by then.
    throw limitExceeded('bind.session', SESSION_LIFETIME);
  }

  return {
    async bind(threepid, mxid, sid) {
      const { medium, address } = threepid;
      const keysOfAddress = lookupKeys(threepid, storage.pepper);
      const { signed, association, invites } = await storage.transaction(async (stores) => {
        await stores.associations.lockLog();
        stores.onCommit(logged);
        if (sid !== undefined) await countBind(stores, sid);
        const now = clock.now();
        const ts = await nextTs(stores, threepid, now);
        const association = newAssociation(threepid, mxid, { ts, now });
        const stored = {
          medium,
          address,
          mxid,
          ts,
          notBefore: association.not_before,
          notAfter: association.not_after,
          lookupHash: lookupHash(address, medium, storage.pepper),
        };
        // The invitations are for whoever bound the address, not for those who look it up.
        const signed = keys.sign(association);

        const { id, replaced } = await stores.associations.appendToLog(stored, serverName);
        await noteReplaced(stores, replaced);
        await stores.associations.deleteGlobal(medium, address, serverName, {
          upTo: undefined,
          ahead: now + CLOCK_TOLERANCE,
        });
        await stores.associations.insertGlobal(
          {
            ...stored,
            originServer: serverName,
            originId: id,
            signedJson: JSON.stringify(signed),
          },
          keysOfAddress,
        );
        await stores.state.set(LOG_POSITION, String(id));
        const spellings = keysOfAddress.map(({ spelling }) => spelling);
        const invites = await notices.owe(stores, association, spellings);
        return { signed, association, invites };
      });
      const isTold = homeserverOf(mxid) !== undefined;
      if (invites.length === 0 && isTold) return signed;
      const answered = invites.slice(0, INVITES_ANSWERED);
      return keys.sign({
        ...association,
        ...(invites.length > 0
          ? { invites: answered.map((invite) => notices.sign(invite, mxid)) }
          : {}),
        ...(isTold ? {} : { warning: NOBODY_TOLD }),
      });
    },

    async unbind(threepid, mxid) {
      await storage.transaction(async (stores) => {
        const { medium, address } = threepid;
        await stores.associations.lockLog();
        const own = await stores.associations.findOwn(medium, address, serverName);
        if (own?.mxid !== mxid) return;
        stores.onCommit(logged);
        const now = clock.now();
        const ts = after(now, own.ts);
        const { id, replaced } = await stores.associations.appendToLog(
          {
            medium,
            address,
            mxid: undefined,
            ts,
            notBefore: undefined,
            notAfter: undefined,
            lookupHash: undefined,
          },
          serverName,
        );
        await noteReplaced(stores, replaced);
        await stores.associations.deleteGlobal(medium, address, serverName, {
          upTo: ts,
          ahead: now + CLOCK_TOLERANCE,
        });
        await stores.state.set(LOG_POSITION, String(id));
        await notices.takeBack(stores, [threepid]);
      });
    },
  };
}
