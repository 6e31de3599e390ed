import { mailboxOf, parseThreePid, type ThreePid } from '../../model/addresses.ts';
import { foldCase } from '../../model/case-folding.ts';
import { IdentityError } from '../../model/errors.ts';
import type { Language } from '../../model/languages.ts';
import type { WebClient } from '../../model/web-client.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import { decodeBase64 } from '../../signing/base64.ts';
import { keyPairFromSeed } from '../../signing/ed25519.ts';
import { type Signatures, signJson } from '../../signing/signed-json.ts';
import type { KeptMail, NewInvite, Storage } from '../../storage/stores/index.ts';
import { currentMxid, type Lookup } from '../associations/lookup.ts';
import { type Caller, mailCharges } from '../limits/charges.ts';
import type { Limits } from '../limits/limits.ts';
import type { FollowedRequest, FollowRequest } from '../messages/followed-request.ts';
import type { ServerKeys } from '../server-keys.ts';
import { invitationMail, keptMail, type MailMatter } from './invitation-mail.ts';
import type { InvitationQuota, Place } from './invitation-quota.ts';
import { blockedBy, type InvitationRules } from './invitation-rules.ts';
import { deleteOldInvitations } from './invitation-sweep.ts';
import {
  cleanText,
  hasBlockedWord,
  type InvitationMail,
  redactAddress,
  textsOf,
} from './invitation-text.ts';
import { WEB_CLIENT_LOCATION, webClientChooser } from './web-client.ts';

/** Inviting those whom nobody knows but by their address (Identity Service API, "Invitation storage"). */
export interface Invitations {
  /**
   * Mails an invitation and keeps it until somebody proves that the address is theirs.
   * Nothing is kept when anything refuses, the relay included.
   * @throws IdentityError `parameter-invalid`, `not-permitted`, `limit-exceeded`, `address-in-use`,
   * `medium-unrecognised`, `email-invalid`, `email-not-sent`
   */
  store(request: InvitationRequest): Promise<StoredInvitation>;
  /**
   * Signs, with the key that came in the mail, that the user takes up the invitation.
   * @throws IdentityError `invitation-unknown`, `parameter-invalid`
   */
  sign(request: SignRequest): Promise<SignedInvitation>;
  /** Whether the ephemeral key, compared as given, is that of an invitation; counts the question. */
  isKeyValid(publicKey: string): Promise<boolean>;
  /** Deletes invitations and keys past their time; the number of both. */
  deleteOld(): Promise<number>;
}

export interface InvitationRequest {
  readonly medium: string;
  readonly address: string;
  readonly roomId: string;
  /** The mxid of the inviting user. */
  readonly sender: string;
  /** Whose access token came with the request. */
  readonly user: string | undefined;
  /** Every text among the arguments, as sent. */
  readonly texts: ReadonlyMap<string, string>;
  readonly brand: string | undefined;
  readonly language: Language | undefined;
  readonly caller: Caller;
}

export interface StoredInvitation {
  readonly token: string;
  /** Unpadded URL-safe base64. */
  readonly ephemeralKey: string;
  /** The address as a room gets to see it. */
  readonly displayName: string;
}

export interface SignRequest {
  readonly mxid: string;
  readonly token: string;
  /** Unpadded base64 of either alphabet. */
  readonly privateKey: string;
}

export interface SignedInvitation {
  readonly mxid: string;
  readonly sender: string;
  readonly token: string;
  readonly signatures: Signatures;
}

export interface InvitationsDependencies {
  readonly limits: Limits;
  readonly follow: FollowRequest;
  readonly lookup: Lookup;
  readonly storage: Storage;
  readonly keys: ServerKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly rules: InvitationRules;
  readonly quota: InvitationQuota;
  /** Rejects with IdentityError `email-invalid` or `email-not-sent`. */
  readonly sendInvitation: (mail: InvitationMail) => Promise<void>;
  /** Called for each invitation that is kept. */
  readonly onStored: () => void;
  /** The URL of `sign-ed25519`, for the mail. */
  readonly signUrl: string;
}

const MAX_ADDRESS_LENGTH = 500;
const TOKEN_LENGTH = 128;
/** Longer than any mail takes. */
const SENDING_LIMIT = 60 * 60 * 1000;

const notPermitted = (message: string) => new IdentityError('not-permitted', message);

const inUse = (mxid: string) =>
  new IdentityError('address-in-use', 'The address is bound to a user already', {
    details: { mxid },
  });

const emailInvalid = () =>
  new IdentityError('email-invalid', 'address must be one plain address: local@domain');

const base64Url = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64url');

export function createInvitations(deps: InvitationsDependencies): Invitations {
  const { storage, keys, clock, random, rules, quota } = deps;
  const { invites } = rules;

  const chooseWebClient = webClientChooser(rules);
  const { roomBlocklist } = rules;
  const homeserverBlocklist = rules.homeserverBlocklist.map((name) => name.toLowerCase());
  const blockedWords = rules.keywordBlocklist.map(foldCase);

  /** Whom to invite; checked in the order that callers know. */
  async function check(request: InvitationRequest): Promise<{ invited: ThreePid; place: Place }> {
    const { medium, address, roomId, sender, user, texts } = request;
    if (user !== undefined && user !== sender) {
      throw notPermitted('sender must be the user whose access token it is');
    }
    deps.limits.admit(request.caller, sender);
    if (blockedBy({ homeserverBlocklist, roomBlocklist }, { sender, roomId }) !== undefined) {
      throw notPermitted('Invitations from this homeserver or to this room are not sent');
    }
    const bound = await deps.lookup.userOf(medium, address, request.caller);
    if (bound !== undefined) throw inUse(bound);
    if (medium !== 'email') {
      throw new IdentityError('medium-unrecognised', 'Invitations are sent by email only');
    }
    if (address.length < 1 || address.length > MAX_ADDRESS_LENGTH) {
      throw new IdentityError(
        'parameter-invalid',
        `address must be from 1 to ${MAX_ADDRESS_LENGTH} characters long`,
      );
    }
    if (hasBlockedWord(texts, blockedWords, foldCase)) {
      throw notPermitted('Invitations with such content are not sent');
    }
    const threepid = parseThreePid('email', address);
    if (threepid === undefined) throw emailInvalid();
    const charged = await deps.limits.charge(mailCharges(request.caller, threepid.address, sender));
    const place = quota.placeFor({ ...threepid, sender, isV1: user === undefined });
    try {
      await place.check(storage.stores);
    } catch (error) {
      charged.giveBack();
      throw error;
    }
    return { invited: threepid, place };
  }

  function matterOf(
    request: InvitationRequest,
    invited: ThreePid,
    webClient: WebClient,
  ): MailMatter {
    return {
      to: mailboxOf(invited),
      address: invited.address,
      brand: request.brand,
      language: request.language,
      verifiedSender: request.user && cleanText(request.user),
      webClient,
      texts: textsOf(request.texts, invites.extraFields),
    };
  }

  /**
   * Noted before the mail goes out, so that no link is mailed that the database cannot take, and
   * confirmed once the relay has it. A server killed in between leaves a mail whose link does not
   * work: its caller got no answer, so no room refers to the invitation either.
   */
  async function sendAndKeep(
    invite: NewInvite,
    { publicKey, mail }: { publicKey: string; mail: KeptMail | undefined },
    place: Place,
    send: () => Promise<void>,
  ): Promise<void> {
    const { medium, address, token } = invite;
    await storage.stores.invitations.prepare(token, publicKey, clock.now() + SENDING_LIMIT);
    try {
      await send();
      await storage.logTransaction(async (stores) => {
        // Bound while the mail was under way: a bind that comes from here on finds the invitation.
        const bound = await currentMxid(stores.lookups, medium, address, clock.latest());
        if (bound !== undefined) throw inUse(bound);
        await place.make(stores);
        await stores.invitations.confirm(invite, publicKey, clock.now(), mail);
      });
    } catch (error) {
      await storage.stores.invitations.abandon(token);
      throw error;
    }
  }

  async function store(
    request: InvitationRequest,
    followed: FollowedRequest,
  ): Promise<StoredInvitation> {
    const isV1 = request.user === undefined;
    const webClient = chooseWebClient(request.texts.get(WEB_CLIENT_LOCATION), !isV1);
    const { invited, place } = await followed.admit(() => check(request));
    const { address, roomId, sender } = request;
    const token = random.alphanumeric(TOKEN_LENGTH);
    const seed = random.bytes(32);
    const ephemeralKey = base64Url(keyPairFromSeed(seed).publicKey);
    const matter = matterOf(request, invited, webClient);
    const secret = { token, privateKey: base64Url(seed) };
    await sendAndKeep(
      { medium: invited.medium, address: invited.address, roomId, sender, token, isV1 },
      { publicKey: ephemeralKey, mail: keptMail(matter, secret, { keys, random }) },
      place,
      () => deps.sendInvitation(invitationMail(matter, secret, deps.signUrl)),
    );
    deps.onStored();
    const displayName = redactAddress(address, {
      username: rules.obfuscateUsernameCharacters,
      domain: rules.obfuscateDomainCharacters,
    });
    return { token, ephemeralKey, displayName };
  }

  /** Of an address that nobody can have there is nothing to be known later. */
  function follow({ medium, address, sender, caller, brand }: InvitationRequest): FollowedRequest {
    const threepid =
      medium === 'email' || medium === 'msisdn' ? parseThreePid(medium, address) : undefined;
    if (threepid === undefined) return { run: (work) => work(), admit: (work) => work() };
    return deps.follow({ threepid, what: 'invitation', caller, sender, brand });
  }

  return {
    async store(request) {
      const followed = follow(request);
      return followed.run(() => store(request, followed));
    },

    async sign({ mxid, token, privateKey }) {
      const invite = await storage.stores.invitations.find(token);
      const isExpired =
        invites.expiry > 0 &&
        invite?.receivedAt !== undefined &&
        !invite.delivered &&
        invite.receivedAt + invites.expiry <= clock.now();
      if (invite === undefined || isExpired) {
        throw new IdentityError('invitation-unknown', 'There is no invitation with this token');
      }
      const seed = decodeBase64(privateKey);
      if (seed?.length !== 32) {
        throw new IdentityError('parameter-invalid', 'private_key must be 32 bytes in base64');
      }
      const signed = { mxid, sender: invite.sender, token };
      return signJson(signed, keys.serverName, 'ed25519:0', keyPairFromSeed(seed).sign);
    },

    isKeyValid: (publicKey) =>
      storage.stores.ephemeralKeys.countVerification(publicKey, clock.now()),

    deleteOld: () => deleteOldInvitations(storage, clock, invites),
  };
}
