import type { Unbinding } from '../../../identity/associations/unbinding.ts';
import type { Caller } from '../../../identity/limits/charges.ts';
import { endpoint, type SignedRequest } from '../../http/endpoint.ts';
import { clientSecret, mxid, optional, sid, threepid } from '../../http/fields.ts';
import { anEmptyObject } from '../../http/schema.ts';

/** Which homeserver signed a request. */
export type VerifyRequest = (
  request: Omit<SignedRequest, 'content'> & { readonly content: unknown },
  caller: Caller,
) => Promise<{ readonly origin: string }>;

/** `POST 3pid/unbind`: takes back a binding, by a session or signed by the user's homeserver. */
export const unbind = (unbinding: Unbinding, verifyRequest: VerifyRequest) =>
  endpoint({
    method: 'POST',
    path: '/3pid/unbind',
    servlet: 'ThreePidUnbindServlet',
    argumentStyle: 'v2',
    // A signature over it is checked in several ways.
    bodyLimit: 64 * 1024,
    summary: 'Take back a binding: by a session, or signed by the user’s homeserver',
    faults: [
      'forbidden',
      'homeserver-failed',
      'limit-exceeded',
      'overloaded',
      'session-expired',
      'session-not-validated',
      'session-unknown',
      'signature-refused',
    ],
    // Homeservers take a 404 for a server that knows no unbinding.
    statuses: {
      'session-not-validated': 403,
      'session-unknown': 401,
      'signature-refused': { v1: 401, v2: 403 },
    },
    answer: anEmptyObject,
    fields: {
      threepid,
      mxid,
      sid: optional(sid),
      client_secret: optional(clientSecret),
    },
    async handle(args, { signed, caller }) {
      const { method, uri } = signed;
      const signedBy = () => {
        const { authorization } = signed;
        return verifyRequest({ method, uri, authorization, content: signed.content() }, caller);
      };
      const proof =
        args.sid !== undefined && args.client_secret !== undefined
          ? { sid: args.sid, clientSecret: args.client_secret }
          : { signedBy };
      await unbinding.unbind(args.threepid, args.mxid, proof);
      return {};
    },
  });
