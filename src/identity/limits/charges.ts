import { plainMailbox } from '../../model/addresses.ts';
import type { Charge } from './limits.ts';

/** A network that a client belongs to, as far as limits go. */
export interface ClientNetwork {
  /** Its addresses: `192.0.2.1`, `2001:db8::/48`. */
  readonly name: string;
  /** How many clients' worth it may do: more of a larger one. */
  readonly size: number;
}

/** Who asks, as far as limits go. */
export interface Caller {
  readonly version: 'v1' | 'v2';
  /** Whose access token came with the request. */
  readonly user: string | undefined;
  /** What Sydent limits by in version 1: an address, or the network of an IPv6 address. */
  readonly address: string;
  /** None where limits by network do not apply. */
  readonly networks: readonly ClientNetwork[];
}

/** One charge for each network that the caller's address is in. */
export const byNetwork = (
  limit: Charge['limit'],
  { networks }: Caller,
  units = 1,
  keyOf: (network: string) => string = (network) => network,
): Charge[] =>
  networks.map(({ name, size }) => ({
    limit,
    key: keyOf(name),
    units,
    size: { burst: size, rate: size },
  }));

/** Who it is that takes a share of what all have. */
const sharerOf = ({ user, networks, address }: Caller): string =>
  user ?? networks[0]?.name ?? address;

/**
 * What one mail costs.
 * @param address folded
 * @param claimedSender of an invitation of version 1, which has a count of its own: anybody can claim to
 * be anybody.
 */
export function mailCharges(caller: Caller, address: string, claimedSender?: string): Charge[] {
  const { version, user } = caller;
  const by = sharerOf(caller);
  const mailbox = plainMailbox(address);
  const domain = address.slice(address.lastIndexOf('@') + 1);
  const ofMailbox = (who: string) => `${mailbox} ${who}`;
  const anonymous = claimedSender === undefined ? caller.address : `claimed ${claimedSender}`;
  return [
    { limit: 'email.ratelimit_sender', key: user ?? anonymous },
    ...byNetwork(version === 'v1' ? 'mail.network_v1' : 'mail.network', caller),
    { limit: 'email.ratelimit_recipient', key: mailbox },
    ...(user === undefined
      ? []
      : [{ limit: 'mail.recipient_share' as const, key: ofMailbox(user) }]),
    ...byNetwork('mail.recipient_share', caller, 1, ofMailbox),
    { limit: 'mail.domain', key: domain, by },
    { limit: 'mail.total', key: '', by },
  ];
}

/** What one text message costs. */
export function messageCharges(
  caller: Caller,
  { msisdn, callingCode }: { msisdn: string; callingCode: string },
): Charge[] {
  const by = sharerOf(caller);
  return [
    { limit: 'msisdn.ratelimit', key: msisdn },
    { limit: 'country.ratelimit', key: callingCode, by },
    ...(caller.user === undefined ? [] : [{ limit: 'sms.account' as const, key: caller.user }]),
    ...byNetwork('sms.network', caller),
    { limit: 'sms.daily', key: '', by },
  ];
}
