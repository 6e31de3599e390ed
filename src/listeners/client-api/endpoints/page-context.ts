import type { ResultPage } from '../../../model/result-page.ts';
import type { RequestContext } from '../../http/endpoint.ts';

export type RenderPage = (
  page: ResultPage,
) => Promise<{ html: string; contentSecurityPolicy: string }>;

/** From a page to `/_matrix/identity/`, by how deep it is below. */
export function wayToRoot({ signed }: Pick<RequestContext, 'signed'>): string {
  const [path = ''] = signed.uri.split('?', 1);
  return '../'.repeat(Math.max(0, path.split('/').length - 4));
}
