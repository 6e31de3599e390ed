import { parseWebClient } from '../../model/web-client.ts';
import { baseUrl, InvalidValueError, type Key, list } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';
import type { EmailConfig } from './email.ts';

const section = 'email';
const ELEMENT = 'https://app.element.io';

function webClients(value: string): string[] {
  const entries = list(value);
  // Commas alone would be read as: any.
  return (entries.length > 0 || value === '' ? entries : [value]).map((entry) => {
    const location = parseWebClient(entry)?.location;
    if (location !== undefined && !/[?#]/.test(entry)) return location;
    throw new InvalidValueError(
      `base URLs such as ${ELEMENT} between commas, without user, query and fragment (${JSON.stringify(entry)} is not one)`,
    );
  });
}

/** The keys that say where the links of invitations may lead. */
export const WEB_CLIENTS = {
  webClientLocation: {
    section,
    name: 'email.default_web_client_location',
    default: ELEMENT,
    parse: baseUrl,
    about:
      'The web client that invitations link to unless the inviting one names another that may be (email.web_client_allow_list).',
  },
  webClientAllowList: {
    section,
    name: 'email.web_client_allow_list',
    default: '',
    parse: webClients,
    firstStart: ELEMENT,
    own: true,
    about: `Web clients that invitations may link to, beside the default one, between commas: base URLs such as ${ELEMENT}, of which scheme, host, port and path must all be the same. In place of any other that the inviting side names, the default one is linked to. Empty: any https:// URL that a user with an access token (version 2) names; whoever has none (version 1) gets the default one.`,
  },
} satisfies Record<string, Key<unknown>>;

export const readWebClients = (
  reader: ConfigReader,
): Pick<EmailConfig, 'defaultWebClientLocation' | 'webClientAllowList'> => ({
  defaultWebClientLocation: reader.read(WEB_CLIENTS.webClientLocation),
  webClientAllowList: reader.read(WEB_CLIENTS.webClientAllowList),
});
