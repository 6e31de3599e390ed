import { byNetwork } from '../../identity/limits/charges.ts';
import type { Limits } from '../../identity/limits/limits.ts';
import type { RequestContext } from '../frame/endpoint.ts';

/** Counts so many addresses looked up. @throws IdentityError `limit-exceeded` */
export async function enforceLookups(
  limits: Limits,
  { caller }: RequestContext,
  addresses: number,
): Promise<void> {
  const { user, version } = caller;
  const network = version === 'v1' ? 'lookup.network_v1' : 'lookup.network';
  await limits.charge([
    ...(user === undefined
      ? []
      : [{ limit: 'lookup.account' as const, key: user, units: addresses }]),
    ...byNetwork(network, caller, addresses),
  ]);
}
