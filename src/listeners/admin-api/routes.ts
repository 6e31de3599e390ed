import type { AnyOperation } from '../../operations/operation.ts';
import type { Routes } from '../http/api-server.ts';
import type { Refusal } from '../http/errors.ts';
import { type HealthDependencies, operatorHealthEndpoints } from '../http/health.ts';
import { openapi } from '../http/openapi-endpoint.ts';
import { NOT_FOR_WEB_PAGES } from '../http/web-pages.ts';
import { about } from './about.ts';
import { type AdminApiDependencies, operationEndpoints } from './operation-endpoint.ts';
import { signIn } from './sign-in.ts';

const ROOT = '/_cognomen/admin/v1';

/** What its listener refuses by itself. */
const REFUSALS: readonly Refusal[] = [
  [401, 'M_UNAUTHORIZED'],
  NOT_FOR_WEB_PAGES,
  [429, 'M_LIMIT_EXCEEDED'],
];

/** The admin API: everything that operators look at or do, but for what is a command only; and, for all, its health. */
export function adminApiRoutes(
  operations: readonly AnyOperation[],
  dependencies: AdminApiDependencies & { readonly health: HealthDependencies },
): Routes[] {
  const common = { root: ROOT, style: 'v2', wantsToken: true, refusals: REFUSALS } as const;
  const health = operatorHealthEndpoints(dependencies.health);
  const routes: Routes[] = [
    {
      root: '',
      style: 'v2',
      tag: 'health',
      isOpen: true,
      refusals: [NOT_FOR_WEB_PAGES],
      endpoints: health,
    },
    {
      ...common,
      tag: 'admin',
      endpoints: [openapi(() => routes, 'Admin API of Cognomen'), about(dependencies.context)],
    },
    {
      ...common,
      tag: 'admin',
      isOpen: true,
      wantsToken: false,
      refusals: [NOT_FOR_WEB_PAGES],
      endpoints: [signIn(dependencies.context)],
    },
    ...[...operationEndpoints(operations, dependencies)].map(([tag, endpoints]) => ({
      ...common,
      tag,
      endpoints,
    })),
  ];
  return routes;
}
