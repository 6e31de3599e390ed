import type { Associations } from '../../../identity/associations.ts';
import { endpoint } from '../../frame/endpoint.ts';
import { mxid, text } from '../../frame/fields.ts';
import { signedAssociation } from '../../frame/schema.ts';
import { readThreePid } from '../../frame/threepid.ts';

/** `POST bind`: binds an address without validation. */
export const internalBind = (associations: Associations) =>
  endpoint({
    method: 'POST',
    path: '/bind',
    servlet: 'AuthenticatedBindThreePidServlet',
    summary: 'Bind an address without validation',
    answer: signedAssociation,
    fields: { address: text, medium: text, mxid },
    handle: (args) => associations.bind(readThreePid(args.medium, args.address), args.mxid),
  });
