import type { Associations } from '../../identity/associations/associations.ts';
import type { Routes } from '../http/api-server.ts';
import { WITHOUT_TOKEN } from '../http/authentication.ts';
import { openapi } from '../http/openapi-endpoint.ts';
import { NOT_FOR_WEB_PAGES } from '../http/web-pages.ts';
import { internalBind } from './endpoints/bind.ts';
import { internalUnbind } from './endpoints/unbind.ts';

const ROOT = '/_matrix/identity';

/**
 * The internal API: whoever reaches it is trusted to know whose an address is.
 * @param wantsToken whether its listener refuses who does not show a token
 */
export function internalApiRoutes(associations: Associations, wantsToken: boolean): Routes[] {
  const refusals = wantsToken ? [NOT_FOR_WEB_PAGES, WITHOUT_TOKEN] : [NOT_FOR_WEB_PAGES];
  // Bodies are JSON whatever their type, as in version 2.
  const common = { style: 'v2', tag: 'internal', wantsToken, refusals } as const;
  const routes: Routes[] = [
    { ...common, root: ROOT, endpoints: [openapi(() => routes, 'Internal API of Cognomen')] },
    {
      ...common,
      root: `${ROOT}/internal`,
      endpoints: [internalBind(associations), internalUnbind(associations)],
    },
  ];
  return routes;
}
