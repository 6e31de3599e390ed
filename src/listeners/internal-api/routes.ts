import type { Associations } from '../../identity/associations.ts';
import type { Mount } from '../frame/server.ts';
import { internalBind } from './endpoints/bind.ts';
import { internalUnbind } from './endpoints/unbind.ts';

/** The internal API: whoever reaches it is trusted to know whose an address is. */
export function internalApiRoutes(associations: Associations): Mount[] {
  return [
    {
      root: '/_matrix/identity/internal',
      style: 'v1',
      endpoints: [internalBind(associations), internalUnbind(associations)],
    },
  ];
}
