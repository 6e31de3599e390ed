import type { Config } from '../config/config.ts';
import { REFUSAL_PATH, ROOT } from '../listeners/client-api/routes.ts';

/** Where this server's API is for who gets a link to it. */
export const apiRootOf = ({ http, general }: Pick<Config, 'http' | 'general'>): string =>
  `${http.clientHttpBase}${ROOT}/${general.enableV1Access ? 'api/v1' : 'v2'}`;

/** What the mail of an invitation names for signing. */
export const signUrlOf = (config: Pick<Config, 'http' | 'general'>): string =>
  `${apiRootOf(config)}/sign-ed25519`;

/** Where invitations lead who wants no more of them; undefined where nobody has said how this server is reached. */
export const refusalUrlOf = ({ http }: Pick<Config, 'http'>): string | undefined =>
  http.publicUrl && `${http.publicUrl}${REFUSAL_PATH}`;
