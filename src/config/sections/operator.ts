import { isEmailAddress } from '../../model/addresses.ts';
import { httpUrl, InvalidValueError, type Key, text } from '../keys.ts';
import { oneLine } from '../mail-values.ts';
import type { ConfigReader } from '../reader.ts';

/** Who runs the server, as mails and pages say. What is empty is not said. */
export interface OperatorConfig {
  readonly name: string;
  /** A file. */
  readonly logo: string;
  readonly privacyUrl: string;
  /** An email address, or a URL. */
  readonly contact: string;
}

const section = 'general';

function contact(value: string): string {
  if (value === '' || isEmailAddress(value)) return value;
  try {
    return httpUrl(value);
  } catch {
    throw new InvalidValueError('an email address, or an http:// or https:// URL');
  }
}

/** The keys of `[general]` that say who runs the server. */
export const OPERATOR = {
  operatorName: {
    section,
    name: 'operator.name',
    default: '',
    parse: oneLine,
    own: true,
    about:
      'Who runs this server, as its mails and pages tell people: a name such as Example Ltd. Empty: server.name alone is named.',
  },
  operatorLogo: {
    section,
    name: 'operator.logo',
    default: '',
    parse: text,
    own: true,
    about:
      'A file with your logo for the pages: PNG, JPEG, WebP or SVG, 256 KiB at most. Served at /_matrix/identity/logo. Empty: none.',
  },
  operatorPrivacyUrl: {
    section,
    name: 'operator.privacy_url',
    default: '',
    parse: httpUrl,
    own: true,
    about: 'The URL of your privacy policy, to which mails and pages link. Empty: no link.',
  },
  operatorContact: {
    section,
    name: 'operator.contact',
    default: '',
    parse: contact,
    own: true,
    about:
      'Where people can turn to: an email address or a URL, which mails and pages show. Empty: none.',
  },
} satisfies Record<string, Key<unknown>>;

export const readOperator = (reader: ConfigReader): OperatorConfig => ({
  name: reader.read(OPERATOR.operatorName),
  logo: reader.read(OPERATOR.operatorLogo),
  privacyUrl: reader.read(OPERATOR.operatorPrivacyUrl),
  contact: reader.read(OPERATOR.operatorContact),
});
