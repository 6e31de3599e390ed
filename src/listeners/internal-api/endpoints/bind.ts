import type { Associations } from '../../../identity/associations/associations.ts';
import { endpoint } from '../../http/endpoint.ts';
import { anyMxid, text } from '../../http/fields.ts';
import { boundAssociation } from '../../http/schema.ts';
import { readThreePid } from '../threepid.ts';

/** `POST bind`: binds an address without validation. */
export const internalBind = (associations: Associations) =>
  endpoint({
    method: 'POST',
    path: '/bind',
    servlet: 'AuthenticatedBindThreePidServlet',
    summary: 'Bind an address without validation',
    answer: boundAssociation,
    fields: { address: text, medium: text, mxid: anyMxid },
    handle: (args) => associations.bind(readThreePid(args.medium, args.address), args.mxid),
  });
