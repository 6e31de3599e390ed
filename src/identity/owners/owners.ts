import type { Logger } from 'pino';
import { IdentityError } from '../../model/errors.ts';
import { isSameServer } from '../../model/server-name.ts';
import type { Clock } from '../../platform/clock.ts';
import { deleteInBatches } from '../../platform/delete-in-batches.ts';
import type { OwnerSession, Storage } from '../../storage/stores/index.ts';
import type { Associations } from '../associations/associations.ts';
import { bindingInForce } from '../associations/bind-many.ts';
import type { Kept } from '../erasure/erasure.ts';
import { refusedSince } from '../invitations/refusal-links.ts';
import type { Refusals } from '../invitations/refusals.ts';
import type { Validation } from '../validation/validation.ts';
import type { OwnerCodeRequest, OwnerCodes } from './owner-codes.ts';
import {
  eraseForOwner,
  knownOfOwner,
  type OwnedThreePid,
  type OwnerDataDependencies,
} from './owner-data.ts';
import type { OwnerInvitations, WaitingInvitation } from './owner-invitations.ts';
import { browserOf, newOwnerToken } from './owner-tokens.ts';

/**
 * What owners of addresses do by themselves on their page, with or without an account. A browser is known by the token in
 * its cookie; whatever is done about an address throws IdentityError `session-unknown` where that browser has not proven
 * the address within the last half hour.
 */
export interface Owners {
  /** A token for a browser that has none. Nothing is stored of it. */
  newToken(): string;
  /**
   * Has a code sent, which `prove` takes from this browser alone; none for an address that it has proven.
   * @throws what `OwnerCodes.send` throws
   */
  begin(token: string, request: OwnerCodeRequest): Promise<void>;
  /**
   * Proves the address that the browser began with. The token that the browser is known by from then on.
   * @throws IdentityError `session-unknown`, `session-expired`, `token-incorrect`
   */
  prove(token: string, code: string): Promise<string>;
  /** All that the browser may see. */
  seen(token: string): Promise<SeenByOwner>;
  /** Takes back what this server says of the address. */
  stopBeingFound(token: string, threepid: OwnedThreePid): Promise<void>;
  /** Gives up an invitation that waits for the address. */
  decline(token: string, threepid: OwnedThreePid, id: number): Promise<void>;
  /** Has no more invitations mailed to the address, or has them mailed again. */
  refuseInvitations(token: string, threepid: OwnedThreePid, isRefused: boolean): Promise<void>;
  /** All that is kept of the address, 10,000 of a kind at most. */
  known(token: string, threepid: OwnedThreePid): Promise<Kept>;
  /** Erases all that is kept of the address, its sessions on this page among it. */
  erase(token: string, threepid: OwnedThreePid): Promise<void>;
  /** Ends what the browser has. */
  leave(token: string): Promise<void>;
}

export interface SeenByOwner {
  /** The address whose code is waited for. */
  readonly pending: OwnedThreePid | undefined;
  /** The addresses that the browser has proven, the last one first. */
  readonly addresses: readonly SeenAddress[];
}

export interface SeenAddress extends OwnedThreePid {
  /** Whom the address leads to, for who looks it up; undefined: nobody. */
  readonly binding:
    | {
        readonly mxid: string;
        /** Milliseconds since the epoch. */
        readonly since: number;
        /** The other server that said so, which alone can take it back; undefined: this one. */
        readonly saidBy: string | undefined;
      }
    | undefined;
  readonly invitations: readonly WaitingInvitation[];
  /** Since when no invitations are mailed to it; undefined: they are. */
  readonly refusedSince: number | undefined;
  /** Some of each kind of what is kept of it. */
  readonly known: Kept;
}

export interface OwnersDependencies extends OwnerDataDependencies {
  readonly logger: Logger;
  readonly validation: Pick<Validation, 'submit'>;
  readonly associations: Pick<Associations, 'unbind'>;
  readonly refusals: Pick<Refusals, 'setRefused'>;
  readonly codes: OwnerCodes;
  readonly invitations: OwnerInvitations;
}

const MINUTE = 60 * 1000;
/** So long a code can be typed in: mail may be held up on its way. */
const PENDING = 60 * MINUTE;
/** So long a browser may act for an address. */
const PROVEN = 30 * MINUTE;
/** Addresses that one browser has at once. */
const MOST_ADDRESSES = 10;
/** Of each kind of what is kept: on the page, and to be taken along. */
const SHOWN = 25;
const GIVEN = 10_000;

const isProven = ({ provenAt }: OwnerSession) => provenAt !== undefined;

const sessionUnknown = () =>
  new IdentityError('session-unknown', 'This browser has not proven that address lately');

/** Deletes what browsers had and is past its time, whether or not the page is served by now; the number deleted. */
export const deleteOldOwnerSessions = (
  storage: Pick<Storage, 'transaction'>,
  clock: Clock,
): Promise<number> =>
  deleteInBatches((limit) =>
    storage.transaction(({ ownerSessions }) => ownerSessions.deleteExpired(clock.now(), limit)),
  );

export function createOwners(deps: OwnersDependencies): Owners {
  const { storage, clock, random, logger, serverName } = deps;
  const { stores } = storage;

  const sessionsOf = (token: string) => stores.ownerSessions.of(browserOf(token), clock.now());

  async function requireProven(token: string, { medium, address }: OwnedThreePid): Promise<void> {
    const isIt = (one: OwnerSession) =>
      one.medium === medium && one.address === address && isProven(one);
    if (!(await sessionsOf(token)).some(isIt)) throw sessionUnknown();
  }

  async function bindingOf(threepid: OwnedThreePid): Promise<SeenAddress['binding']> {
    const found = await bindingInForce(storage, threepid, clock.now());
    if (found === undefined) return undefined;
    const { mxid, ts: since, originServer } = found;
    const saidBy = isSameServer(originServer, serverName) ? undefined : originServer;
    return { mxid, since, saidBy };
  }

  async function look({ medium, address }: OwnedThreePid): Promise<SeenAddress> {
    const threepid = { medium, address };
    const [binding, invitations, refused, known] = await Promise.all([
      bindingOf(threepid),
      deps.invitations.waiting(threepid),
      medium === 'email' ? refusedSince(stores, address) : undefined,
      knownOfOwner({ storage }, threepid, SHOWN),
    ]);
    return { ...threepid, binding, invitations, refusedSince: refused, known };
  }

  return {
    newToken: () => newOwnerToken(random),

    async begin(token, request) {
      const proven = (await sessionsOf(token)).filter(isProven);
      const has = ({ medium, address }: OwnedThreePid) =>
        proven.some((one) => one.medium === medium && one.address === address);
      if (proven.length >= MOST_ADDRESSES) {
        throw new IdentityError('limit-exceeded', 'This browser has proven enough addresses');
      }
      const sent = await deps.codes.send(request, has);
      if (sent === undefined) return;
      const { medium, address, sid } = sent;
      const expiresAt = clock.now() + PENDING;
      // One after the other: of two at once each would leave the other's code, of which one could be typed in.
      await storage.logTransaction(({ ownerSessions }) =>
        ownerSessions.begin(browserOf(token), { medium, address, sid, expiresAt }),
      );
    },

    async prove(token, code) {
      const pending = (await sessionsOf(token)).find((one) => !isProven(one));
      const session = pending && (await stores.sessions.find(pending.sid));
      if (session === undefined) throw sessionUnknown();
      const { id: sid, clientSecret } = session;
      await deps.validation.submit(sid, clientSecret, code, { shortCodes: true });
      const next = newOwnerToken(random);
      const provenAt = clock.now();
      const isNoted = await storage.transaction(({ ownerSessions }) =>
        ownerSessions.prove({ browser: browserOf(token), next: browserOf(next) }, sid, {
          provenAt,
          expiresAt: provenAt + PROVEN,
        }),
      );
      if (!isNoted) throw sessionUnknown();
      return next;
    },

    async seen(token) {
      const sessions = await sessionsOf(token);
      const addresses: SeenAddress[] = [];
      // One after the other: a page is no reason to take all connections there are.
      for (const one of sessions) if (isProven(one)) addresses.push(await look(one));
      return { pending: sessions.find((one) => !isProven(one)), addresses };
    },

    async stopBeingFound(token, threepid) {
      await requireProven(token, threepid);
      const binding = await bindingOf(threepid);
      if (binding === undefined || binding.saidBy !== undefined) return;
      await deps.associations.unbind(threepid, binding.mxid, 'owner');
      logger.info('The owner of an address has taken back that it leads to a user');
    },

    async decline(token, threepid, id) {
      await requireProven(token, threepid);
      await deps.invitations.decline(threepid, id);
    },

    async refuseInvitations(token, threepid, isRefused) {
      await requireProven(token, threepid);
      if (threepid.medium === 'email') await deps.refusals.setRefused(threepid.address, isRefused);
    },

    async known(token, threepid) {
      await requireProven(token, threepid);
      return knownOfOwner({ storage }, threepid, GIVEN);
    },

    async erase(token, threepid) {
      await requireProven(token, threepid);
      await eraseForOwner(deps, threepid);
      logger.info('The owner of an address has erased what was kept of it');
    },

    leave: (token) =>
      storage.transaction(({ ownerSessions }) => ownerSessions.end(browserOf(token))),
  };
}
