import { IdentityError } from '../../model/errors.ts';
import { withoutTrailing } from '../../platform/trailing.ts';

/** A web client that an invitation links to. */
export interface WebClient {
  /** Its base URL as browsers read it, without a slash at its end. */
  readonly location: string;
  /** Where that leads: the host, and the port where it is not the usual one. */
  readonly host: string;
}

/** The argument of store-invite that names the web client to link to. */
export const WEB_CLIENT_LOCATION = 'org.matrix.web_client_location';

const MAX_URL_LENGTH = 1000;

/** Without what browsers read otherwise than people do: backslashes, missing slashes, white space. */
const PLAIN = /^https?:\/\/[^\s"<>\\^`{|}\p{C}]+$/iu;

/** The web client at an http or https URL; undefined when the text is no plain one. */
export function parseWebClient(text: string): WebClient | undefined {
  if (text.length > MAX_URL_LENGTH || !PLAIN.test(text) || !URL.canParse(text)) return undefined;
  const { href, host, username, password } = new URL(text);
  if (username !== '' || password !== '') return undefined;
  return { location: withoutTrailing(href, '/'), host };
}

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
