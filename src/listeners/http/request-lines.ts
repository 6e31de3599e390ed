import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Metrics } from '../../platform/metrics.ts';
import { clientNetwork } from './client-address.ts';

/** What a line of the log says of the client that has this address. */
export type ClientFields = (
  address: string | undefined,
) => Readonly<{ client?: string | undefined; address?: string | undefined }>;

/**
 * Names clients by their networks.
 * @param nameOf what a network is called
 * @param showsAddress whether the address is told as well
 */
export const clientFields =
  (nameOf: (network: string) => string | undefined, showsAddress: boolean): ClientFields =>
  (address) =>
    address === undefined
      ? {}
      : { client: nameOf(clientNetwork(address)), ...(showsAddress ? { address } : {}) };

/** Logs and counts a request that was answered; further fields of the line. */
export type NoteRequest = (request: FastifyRequest, reply: FastifyReply, more: object) => void;

export function requestNoter(listener: string, metrics: Metrics): NoteRequest {
  return (request, reply, more) => {
    const { url, config } = request.routeOptions;
    const route = url ?? 'unknown';
    const { method } = request;
    const { statusCode: status, elapsedTime } = reply;
    const { servlet } = config ?? {};
    const seconds = elapsedTime / 1000;
    metrics.httpRequest({ listener, route, servlet, method, status, seconds });
    request.log.info({ method, route, status, ms: Math.round(elapsedTime), ...more }, 'Request');
  };
}
