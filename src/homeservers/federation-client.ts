import { isReachableName } from '../model/server-name.ts';
import type { OutboundAnswer, OutboundClient, TimeLimits } from '../platform/outbound/outbound.ts';
import { abortable, OutboundError, withinTime } from '../platform/outbound/outbound-error.ts';
import type { RoomName } from '../platform/outbound/room.ts';
import type { Discover } from './discovery.ts';

/** A request to a homeserver by its name: `matrix://SERVER/path`. */
export interface FederationRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly serverName: string;
  /** Path and query, beginning with a slash. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  readonly room: RoomName;
  /** Finding the homeserver counts in its `total`. */
  readonly time: TimeLimits;
  readonly maxBytes: number;
  /** Awaited once the homeserver is found, before anything is sent to it; when it rejects, nothing is. */
  readonly beforeSending?: () => Promise<void>;
}

/** What homeservers are asked and told through. Redirects are not followed. */
export interface FederationClient {
  /** @throws OutboundError when there is no answer, also when the homeserver is not found. */
  request(request: FederationRequest): Promise<OutboundAnswer>;
}

export interface FederationDependencies {
  readonly outbound: OutboundClient;
  readonly discover: Discover;
  readonly verifyCertificates: boolean;
}

export function createFederationClient(deps: FederationDependencies): FederationClient {
  const { outbound, discover, verifyCertificates } = deps;
  return {
    async request({ method, serverName, path, body, room, time, maxBytes, beforeSending }) {
      if (!isReachableName(serverName)) {
        throw new OutboundError(
          'name-unresolved',
          `${JSON.stringify(serverName)} is not a name of a homeserver`,
        );
      }
      const tooLate = () => new OutboundError('timeout', `${serverName} did not answer in time`);
      return withinTime(time.total, tooLate, async (signal) => {
        const found = discover(serverName.toLowerCase(), room);
        const { host, targets } = await abortable(found, signal);
        await beforeSending?.();
        return outbound.request({
          method,
          url: `https://${host}${path}`,
          // The URL would lose the port where it is 443.
          headers: { host, ...(body ? { 'content-type': 'application/json' } : {}) },
          ...(body ? { body: JSON.stringify(body) } : {}),
          via: targets,
          anyCertificate: !verifyCertificates,
          room,
          time,
          maxBytes,
          signal,
        });
      });
    },
  };
}
