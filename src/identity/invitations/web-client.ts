import { IdentityError } from '../../model/errors.ts';
import { parseWebClient, type WebClient } from '../../model/web-client.ts';

/** The argument of store-invite that names the web client to link to. */
export const WEB_CLIENT_LOCATION = 'org.matrix.web_client_location';

export interface WebClientRules {
  readonly defaultWebClientLocation: string;
  /** Locations as parseWebClient has them. Empty: any `https:` URL of a caller who is known. */
  readonly webClientAllowList: readonly string[];
}

/**
 * Chooses the web client of an invitation: the one that was asked for where it may be, else the default one.
 * The choice throws IdentityError `parameter-invalid`.
 */
export function webClientChooser(rules: WebClientRules) {
  const { defaultWebClientLocation: location, webClientAllowList: allowed } = rules;
  const ours: WebClient = { location, host: new URL(location).host };
  return (asked: string | undefined, isCallerKnown: boolean): WebClient => {
    if (!asked) return ours;
    const named = parseWebClient(asked);
    if (named === undefined) {
      throw new IdentityError(
        'parameter-invalid',
        `${WEB_CLIENT_LOCATION} must be an http:// or https:// URL`,
      );
    }
    const mayBe =
      allowed.length > 0
        ? allowed.includes(named.location)
        : isCallerKnown && named.location.startsWith('https:');
    return mayBe ? named : ours;
  };
}
