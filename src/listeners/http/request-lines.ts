import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import type { Metrics } from '../../platform/metrics.ts';
import { clientNetwork } from './client-address.ts';

/** What a line of the log says of the client that has this address; `network` is known of it already. */
export type ClientFields = (
  address: string | undefined,
  network?: string,
) => Readonly<{ client?: string | undefined; address?: string | undefined }>;

/**
 * Names clients by their networks.
 * @param nameOf what a network is called
 * @param showsAddress whether the address is told as well
 */
export const clientFields =
  (nameOf: (network: string) => string | undefined, showsAddress: boolean): ClientFields =>
  (address, network = clientNetwork(address)) => {
    if (address === undefined) return {};
    const client = nameOf(network);
    return showsAddress ? { client, address } : { client };
  };

/** Logs and counts a request that was answered; further fields of the line. */
export type NoteRequest = (request: FastifyRequest, reply: FastifyReply, more: object) => void;

export function requestNoter(listener: string, metrics: Metrics, logger: Logger): NoteRequest {
  // All fields are this server's own words: there is nothing to hide, which would take longer than to write them.
  const lines = logger.child({}, { redact: [] });
  return (request, reply, more) => {
    const { url, config } = request.routeOptions;
    const route = url ?? 'unknown';
    const { method } = request;
    const { statusCode: status, elapsedTime } = reply;
    const { servlet } = config ?? {};
    const seconds = elapsedTime / 1000;
    metrics.httpRequest({ listener, route, servlet, method, status, seconds });
    const ms = Math.round(elapsedTime);
    lines.info({ reqId: request.id, method, route, status, ms, ...more }, 'Request');
  };
}
