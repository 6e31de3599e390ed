import type { Associations } from '../../../identity/associations/associations.ts';
import { endpoint } from '../../http/endpoint.ts';
import { anyMxid, text } from '../../http/fields.ts';
import { anEmptyObject } from '../../http/schema.ts';
import { readBound } from '../threepid.ts';

/** `POST unbind`: takes back a binding without further proof. */
export const internalUnbind = (associations: Associations) =>
  endpoint({
    method: 'POST',
    path: '/unbind',
    servlet: 'AuthenticatedUnbindThreePidServlet',
    summary: 'Take back a binding',
    answer: anEmptyObject,
    fields: { address: text, medium: text, mxid: anyMxid },
    async handle(args) {
      await associations.unbind(readBound(args.medium, args.address), args.mxid, 'operator');
      return {};
    },
  });
