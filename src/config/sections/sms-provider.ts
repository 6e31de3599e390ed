import { baseUrl, httpUrl, InvalidValueError, type Key, oneOf, text, type Warn } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

/** Who delivers text messages. */
export type SmsProviderConfig = OpenMarketConfig | TwilioConfig | WebhookConfig;

export interface OpenMarketConfig {
  readonly name: 'openmarket';
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** False where neither an account nor another URL is named: as in every file nobody touched. */
  readonly usable: boolean;
}

export interface TwilioConfig {
  readonly name: 'twilio';
  /** Without a slash at the end. */
  readonly url: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** At least one of the two is not empty. */
  readonly from: string;
  readonly messagingServiceSid: string;
}

export interface WebhookConfig {
  readonly name: 'webhook';
  readonly url: string;
  readonly secret: string;
}

const section = 'sms';

/** It becomes part of a path. */
function twilioSid(value: string): string {
  if (/^[A-Za-z0-9]*$/.test(value)) return value;
  throw new InvalidValueError('letters and digits');
}

/** Keys of `[sms]`: who delivers. */
export const PROVIDER = {
  username: {
    section,
    name: 'username',
    default: '',
    parse: text,
    about: 'The account at OpenMarket. Without one no message is sent.',
  },
  password: {
    section,
    name: 'password',
    default: '',
    parse: text,
    secret: true,
    about: 'The password of the account at OpenMarket.',
  },
  provider: {
    section,
    name: 'sms.provider',
    default: 'openmarket',
    parse: oneOf('openmarket', 'twilio', 'webhook'),
    own: true,
    about:
      'Who delivers the messages: openmarket (with username and password), twilio or webhook (a program of your own), each with the keys of its name.',
  },
  openMarketUrl: {
    section,
    name: 'sms.openmarket.url',
    default: 'https://smsc.openmarket.com/sms/v4/mt',
    parse: httpUrl,
    own: true,
    about: 'Where OpenMarket takes messages.',
  },
  twilioUrl: {
    section,
    name: 'sms.twilio.url',
    default: 'https://api.twilio.com',
    parse: (value: string, warn: Warn) => baseUrl(httpUrl(value), warn),
    own: true,
    about: 'The base of Twilio’s API, as far as /2010-04-01.',
  },
  twilioAccountSid: {
    section,
    name: 'sms.twilio.account_sid',
    default: '',
    parse: twilioSid,
    own: true,
    about: 'The account at Twilio: AC and 32 more characters.',
  },
  twilioAuthToken: {
    section,
    name: 'sms.twilio.auth_token',
    default: '',
    parse: text,
    secret: true,
    own: true,
    about: 'The auth token of the account at Twilio.',
  },
  twilioFrom: {
    section,
    name: 'sms.twilio.from',
    default: '',
    parse: text,
    own: true,
    about:
      'Who messages come from where no originator is set: a number such as +15005550006, or a name. Twilio needs this or a messaging service.',
  },
  twilioMessagingServiceSid: {
    section,
    name: 'sms.twilio.messaging_service_sid',
    default: '',
    parse: twilioSid,
    own: true,
    about: 'The messaging service at Twilio that picks a sender where no originator is set.',
  },
  webhookUrl: {
    section,
    name: 'sms.webhook.url',
    default: '',
    parse: httpUrl,
    own: true,
    about: 'Where messages are posted to, as JSON.',
  },
  webhookSecret: {
    section,
    name: 'sms.webhook.secret',
    default: '',
    parse: text,
    secret: true,
    own: true,
    about: 'What the posts to sms.webhook.url are signed with, by HMAC-SHA256.',
  },
} satisfies Record<string, Key<unknown>>;

/** What a provider cannot do without. */
const REQUIRED = {
  openmarket: [],
  twilio: [PROVIDER.twilioAccountSid, PROVIDER.twilioAuthToken],
  webhook: [PROVIDER.webhookUrl, PROVIDER.webhookSecret],
} as const;

export function readProvider(reader: ConfigReader): SmsProviderConfig {
  const openmarket = {
    name: 'openmarket',
    url: reader.read(PROVIDER.openMarketUrl),
    username: reader.read(PROVIDER.username),
    password: reader.read(PROVIDER.password),
  } as const;
  const twilio = {
    name: 'twilio',
    url: reader.read(PROVIDER.twilioUrl),
    accountSid: reader.read(PROVIDER.twilioAccountSid),
    authToken: reader.read(PROVIDER.twilioAuthToken),
    from: reader.read(PROVIDER.twilioFrom),
    messagingServiceSid: reader.read(PROVIDER.twilioMessagingServiceSid),
  } as const;
  const webhook = {
    name: 'webhook',
    url: reader.read(PROVIDER.webhookUrl),
    secret: reader.read(PROVIDER.webhookSecret),
  } as const;
  const usable = openmarket.username !== '' || openmarket.url !== PROVIDER.openMarketUrl.default;
  const providers = { openmarket: { ...openmarket, usable }, twilio, webhook };

  const name = reader.read(PROVIDER.provider);
  const needs = `for sms.provider = ${name}`;
  for (const key of REQUIRED[name].filter((required) => reader.read(required) === '')) {
    reader.problem(section, key.name, `must be set ${needs}`);
  }
  if (name === 'twilio' && twilio.from === '' && twilio.messagingServiceSid === '') {
    const or = `must be set, or ${PROVIDER.twilioMessagingServiceSid.name},`;
    reader.problem(section, PROVIDER.twilioFrom.name, `${or} ${needs}`);
  }
  return providers[name];
}
