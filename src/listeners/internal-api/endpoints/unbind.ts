import type { Associations } from '../../../identity/associations.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { mxid, text } from '../../frame/fields.ts';
import { anObject } from '../../frame/schema.ts';
import { readThreePid } from '../../frame/threepid.ts';

/** `POST unbind`: takes back a binding without further proof. */
export const internalUnbind = (associations: Associations) =>
  endpoint({
    method: 'POST',
    path: '/unbind',
    servlet: 'AuthenticatedUnbindThreePidServlet',
    summary: 'Take back a binding',
    answer: anObject({}),
    fields: { address: text, medium: text, mxid },
    async handle(args) {
      await associations.unbind(readThreePid(args.medium, args.address), args.mxid);
      return {};
    },
  });
