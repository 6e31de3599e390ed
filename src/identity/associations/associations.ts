import type { ThreePid } from '../../model/addresses.ts';
import { lookupHash } from '../../model/lookup-hash.ts';
import { homeserverOf } from '../../model/mxid.ts';
import { aheadOf, dateAfter, newestOf, replaces } from '../../model/precedence.ts';
import type { Clock } from '../../platform/clock.ts';
import type {
  KnownOfAddress,
  LocalAssociation,
  LoggedAssociation,
  Storage,
  Stores,
} from '../../storage/stores/index.ts';
import type { OnbindNotices, SignedInvite } from '../invitations/onbind-notices.ts';
import { type Limits, limitExceeded } from '../limits/limits.ts';
import type { MessageTrail } from '../messages/message-trail.ts';
import type { OwnerNotices } from '../owner-notices/owner-notices.ts';
import type { ServerKeys } from '../server-keys.ts';
import { SESSION_LIFETIME } from '../validation/session-codes.ts';
import { noteReplaced } from './contested.ts';
import { lookupKeys } from './lookup-keys.ts';
import { newAssociation, type SignedAssociation } from './signed-association.ts';

/** Binding addresses to users, and taking that back. */
export interface Associations {
  /**
   * Binds the address, in place of whomever it was bound to; seen by lookups once this resolves, and the
   * user's homeserver is told. Answers with the invitations that were pending, where there were any, and
   * with a warning where there is no homeserver to be told; the signature of the answer covers both.
   * Where a session proved the address, whose owner is told when it led to somebody else.
   * @param mxid whatever is looked up then; no user id need be in it
   * @param sid the session that proved the address, where one did
   * @throws IdentityError `limit-exceeded` when the session has bound too often
   */
  bind(threepid: ThreePid, mxid: string, sid?: number): Promise<BoundAssociation>;
  /**
   * Takes back a binding of the folded address to exactly that user, and what is still owed for it to their
   * homeserver; anything else changes nothing. Whether there was one.
   * @param by who wants it: the owner of the address is told of what they have not done themselves
   */
  unbind(
    threepid: { medium: string; address: string },
    mxid: string,
    by: UnbindingParty,
  ): Promise<boolean>;
}

/**
 * Who takes back a binding: an app, by a session; a homeserver, over the client API; the owner of the address, where they
 * see themselves what they do; who runs this server.
 */
export type UnbindingParty = 'app' | { readonly homeserver: string } | 'owner' | 'operator';

export type BoundAssociation = SignedAssociation & {
  readonly invites?: readonly SignedInvite[];
  readonly warning?: string;
};

export interface AssociationsDependencies {
  readonly storage: Pick<Storage, 'logTransaction' | 'pepper'>;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly notices: Pick<OnbindNotices, 'pendingAt' | 'enqueue' | 'takeBack' | 'sign'>;
  /** Undefined: owners of addresses are told nothing. */
  readonly ownerNotices: OwnerNotices | undefined;
  readonly limits: Pick<Limits, 'most' | 'reached'>;
  readonly trail: Pick<MessageTrail, 'note'>;
  /** Told after an entry of the log was committed. */
  readonly logged: () => void;
  /** Told of each address that was bound or unbound, after that was committed. */
  readonly onChange: (medium: string, change: 'bound' | 'unbound') => void;
}

/** So many of the pending invitations are in a bind's answer; the homeserver gets them all. */
const INVITES_ANSWERED = 100;

const NOBODY_TOLD = 'mxid names no homeserver that could be told of this binding';

/** The state under which the id is kept up to which the local log is in the global table. */
export const LOG_POSITION = 'log_position';

/**
 * Writes what this server says of an address now, in place of what it leaves behind; its id in the log. To be called under
 * the log's lock.
 */
export async function say(
  stores: Stores,
  entry: LocalAssociation,
  known: KnownOfAddress,
  { serverName, now }: { readonly serverName: string; readonly now: number },
): Promise<number> {
  const id = await stores.associations.appendToLog(entry, known.logged);
  await noteReplaced(stores, known.logged);
  const said = { originServer: serverName, originId: Number.POSITIVE_INFINITY, ts: entry.ts };
  const deletes = entry.mxid === undefined;
  await stores.associations.deletePublished(
    known.published.filter((stored) => replaces({ ...said, deletes }, stored, aheadOf(now))),
  );
  await stores.state.set(LOG_POSITION, String(id));
  return id;
}

/** The same of an address that is bound no more from then on. */
export const sayDeleted = (
  stores: Stores,
  { medium, address }: { readonly medium: string; readonly address: string },
  ts: number,
  known: KnownOfAddress,
  of: { readonly serverName: string; readonly now: number },
): Promise<number> => {
  const nobody = {
    mxid: undefined,
    notBefore: undefined,
    notAfter: undefined,
    lookupHash: undefined,
  };
  return say(stores, { medium, address, ts, ...nobody }, known, of);
};

/** The last of what this server said of an address. */
export const lastLogged = ({ logged }: KnownOfAddress): LoggedAssociation | undefined =>
  logged.toSorted((a, b) => b.id - a.id)[0];

export function createAssociations(deps: AssociationsDependencies): Associations {
  const { storage, keys, clock, notices, ownerNotices, limits, logged, onChange, trail } = deps;
  const { serverName } = keys;

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
      const spellings = keysOfAddress.map(({ spelling }) => spelling);
      const { signed, association, invites } = await storage.logTransaction(async (stores) => {
        stores.onCommit(logged);
        stores.onCommit(() => onChange(medium, 'bound'));
        if (sid !== undefined) await countBind(stores, sid);
        const now = clock.now();
        const wanted = { spellings, ...notices.pendingAt(now) };
        const known = await stores.associations.known(threepid, serverName, wanted);
        const dates = [...known.logged, ...known.published].map(({ ts }) => ts);
        const association = newAssociation(threepid, mxid, { ts: dateAfter(dates, now), now });
        const { ts, not_before: notBefore, not_after: notAfter } = association;
        const hash = lookupHash(address, medium, storage.pepper);
        const entry = { medium, address, mxid, ts, notBefore, notAfter, lookupHash: hash };
        // The invitations are for whoever bound the address, not for those who look it up.
        const signed = keys.sign(association);

        const originId = await say(stores, entry, known, { serverName, now });
        const signedJson = JSON.stringify(signed);
        await stores.associations.publish(
          { ...entry, originServer: serverName, originId, signedJson },
          keysOfAddress,
        );
        await notices.enqueue(stores, association, known);
        const former = newestOf(known.published)?.mxid;
        if (sid !== undefined && former !== undefined && former !== mxid) {
          await ownerNotices?.owe(stores, { medium, address, mxid: former, newMxid: mxid });
        }
        return { signed, association, invites: known.pending };
      }, address);
      // What the internal API binds had no message before it.
      if (sid !== undefined) trail.note({ event: 'bound', medium: threepid.medium, address, mxid });
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

    async unbind(threepid, mxid, by) {
      return storage.logTransaction(async (stores) => {
        const { medium } = threepid;
        const known = await stores.associations.known(threepid, serverName);
        const own = lastLogged(known);
        if (own?.mxid !== mxid) return false;
        stores.onCommit(logged);
        stores.onCommit(() => onChange(medium, 'unbound'));
        const now = clock.now();
        const ts = dateAfter([own.ts], now);
        await sayDeleted(stores, threepid, ts, known, { serverName, now });
        await notices.takeBack(stores, [threepid]);
        if (by === 'app') await ownerNotices?.owe(stores, { ...threepid, mxid });
        else if (typeof by === 'object')
          await ownerNotices?.owe(stores, { ...threepid, mxid, ...by });
        return true;
      }, threepid.address);
    },
  };
}
