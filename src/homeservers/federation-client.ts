import { isReachableName } from '../identity/server-name.ts';
import type { OutboundAnswer, OutboundClient } from '../platform/outbound/outbound.ts';
import { abortable, OutboundError } from '../platform/outbound/outbound-error.ts';
import type { Discover } from './discovery.ts';

/** A request to a homeserver by its name: `matrix://SERVER/path`. */
export interface FederationRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly serverName: string;
  /** Path and query, beginning with a slash. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: object;
  /** Milliseconds, finding the homeserver included. */
  readonly timeout: number;
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
    async request({ method, serverName, path, body, timeout, maxBytes, beforeSending }) {
      if (!isReachableName(serverName)) {
        throw new OutboundError(
          'name-unresolved',
          `${JSON.stringify(serverName)} is no name of a homeserver`,
        );
      }
      const giveUp = new AbortController();
      const timer = setTimeout(
        () => giveUp.abort(new OutboundError('timeout', `${serverName} did not answer in time`)),
        timeout,
      );
      try {
        const { host, targets } = await abortable(
          discover(serverName.toLowerCase()),
          giveUp.signal,
        );
        await beforeSending?.();
        return await outbound.request({
          method,
          url: `https://${host}${path}`,
          // The URL would lose the port where it is 443.
          headers: { host, ...(body ? { 'content-type': 'application/json' } : {}) },
          ...(body ? { body: JSON.stringify(body) } : {}),
          via: targets,
          anyCertificate: !verifyCertificates,
          timeout,
          maxBytes,
          signal: giveUp.signal,
        });
      } finally {
        clearTimeout(timer);
      }
    },
  };
}
