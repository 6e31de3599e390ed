import { foldAddress } from '../../model/addresses.ts';
import { IdentityError } from '../../model/errors.ts';
import { parseMxid } from '../../model/mxid.ts';
import type { Validation } from '../validation/validation.ts';
import type { Associations, UnbindingParty } from './associations.ts';

/** Taking back a binding, for who may: the address's owner, and the user's homeserver. */
export interface Unbinding {
  /**
   * Takes back the binding of the address to exactly that user; where there is none nothing changes.
   * @throws IdentityError `session-…`, `forbidden`, and what finding out who signed throws
   */
  unbind(threepid: Unbound, mxid: string, proof: UnbindProof): Promise<void>;
}

/** Any medium and address: what was bound long ago may be none that could be bound today. */
export interface Unbound {
  readonly medium: string;
  readonly address: string;
}

/** A session that proved the address, or who signed the request. */
export type UnbindProof =
  | { readonly sid: number; readonly clientSecret: string }
  | { readonly signedBy: () => Promise<{ readonly origin: string }> };

export function createUnbinding(deps: {
  readonly validation: Validation;
  readonly associations: Associations;
}): Unbinding {
  const { validation, associations } = deps;

  /** Who has proven that they may. */
  async function partyOf(
    { medium, address }: Unbound,
    mxid: string,
    proof: UnbindProof,
  ): Promise<UnbindingParty> {
    if ('sid' in proof) {
      const { threepid } = await validation.validated(proof.sid, proof.clientSecret);
      if (threepid.medium === medium && threepid.address === address) return 'app';
      throw new IdentityError('forbidden', 'The validation session proved another address');
    }
    const { origin } = await proof.signedBy();
    if (origin === parseMxid(mxid)?.serverName) return { homeserver: origin };
    throw new IdentityError('forbidden', 'The request must be signed by the homeserver of mxid');
  }

  return {
    async unbind(threepid, mxid, proof) {
      const { medium } = threepid;
      const folded = { medium, address: foldAddress(medium, threepid.address) };
      await associations.unbind(folded, mxid, await partyOf(folded, mxid, proof));
    },
  };
}
