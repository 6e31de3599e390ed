import type { Originator, SmsConfig, SmsProviderConfig } from '../config.ts';
import {
  baseUrl,
  httpUrl,
  InvalidValueError,
  type Key,
  oneOf,
  rate,
  sydentBurst,
  text,
  type Warn,
} from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

const section = 'sms';

/** Python's str.format with the one field `token`. */
function bodyTemplate(value: string, warn: Warn): string {
  const fields = value.replaceAll('{{', '').replaceAll('}}', '');
  if (/[{}]/.test(fields.replaceAll('{token}', ''))) {
    const what = 'text with {token} in it; other braces are written {{ and }}';
    throw new InvalidValueError(what);
  }
  if (!fields.includes('{token}')) warn('that nobody gets a code: there is no {token} in it');
  return value;
}

/** It becomes part of a path. */
function twilioSid(value: string): string {
  if (/^[A-Za-z0-9]*$/.test(value)) return value;
  throw new InvalidValueError('letters and digits');
}

export const SMS = {
  bodyTemplate: {
    section,
    name: 'bodyTemplate',
    default: 'Your code is {token}',
    parse: bodyTemplate,
    about: 'The text of the message; {token} is the code.',
  },
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
  msisdnBurst: {
    section,
    name: 'msisdn.ratelimit.burst',
    default: '5',
    parse: sydentBurst,
    about: 'How many messages can go to one number at once.',
  },
  msisdnRate: {
    section,
    name: 'msisdn.ratelimit.rate_hz',
    default: '1/3600',
    parse: rate,
    about: 'How many messages a second can go to one number in the long run.',
  },
  countryBurst: {
    section,
    name: 'country.ratelimit.burst',
    default: '50',
    parse: sydentBurst,
    about: 'How many messages can go to one calling code at once.',
  },
  countryRate: {
    section,
    name: 'country.ratelimit.rate_hz',
    default: '1/60',
    parse: rate,
    about: 'How many messages a second can go to one calling code in the long run.',
  },
} satisfies Record<string, Key<unknown>>;

/** Keys with a calling code at their end. */
export const SMS_FAMILIES = {
  originators: {
    section,
    prefix: 'originators.',
    name: 'originators.CODE',
    about:
      'Who messages to a calling code come from: long:NUMBER, short:NUMBER or alpha:TEXT, several between commas. originators.default is for codes without their own.',
  },
  rules: {
    section,
    prefix: 'smsrule.',
    name: 'smsrule.CODE',
    about:
      'Whether messages go to numbers that begin so, a calling code or more digits: allow or reject; the one with the most digits counts. Without a rule they do, but for those that sms.destinations refuses (limits): these need one with more digits than the calling code of their country.',
  },
} as const;

const isOriginatorType = (text: string) => text === 'long' || text === 'short' || text === 'alpha';

function originator(entry: string): Originator | undefined {
  const [type = '', given = '', ...more] = entry.trim().split(':');
  const sender = given.trim();
  if (!isOriginatorType(type) || sender === '' || more.length > 0) return undefined;
  return { type, text: sender };
}

/** Keys of a family by their calling codes; those that are not used are never asked for. */
function byCode(
  reader: ConfigReader,
  prefix: string,
  used: RegExp,
): { code: string; name: string; value: string }[] {
  return reader.family(section, prefix).map(([name, value]) => {
    const [code = ''] = name.slice(prefix.length).split('.');
    if (!used.test(code)) {
      const is = `[${section}] ${name} = ${JSON.stringify(value)}`;
      reader.warn(`${is}: never used, because ${JSON.stringify(code)} is no calling code`);
    }
    return { code, name, value };
  });
}

function readOriginators(reader: ConfigReader): Map<string, Originator[]> {
  const { prefix } = SMS_FAMILIES.originators;
  const originators = new Map<string, Originator[]>();
  for (const { code, name, value } of byCode(reader, prefix, /^(?:default|[1-9]\d{0,2})$/)) {
    const entries = value.split(',').map(originator);
    const valid = entries.filter((entry) => entry !== undefined);
    if (valid.length < entries.length) {
      const what = 'must be long:NUMBER, short:NUMBER or alpha:TEXT, several between commas; it is';
      reader.problem(section, name, `${what} ${JSON.stringify(value)}`);
    }
    for (const { type, text: sender } of valid) {
      if (type === 'alpha' || /^\+?\d+$/.test(sender)) continue;
      const is = `[${section}] ${name} = ${JSON.stringify(value)}`;
      reader.warn(`${is}: ${JSON.stringify(sender)} is no number; a provider may refuse it`);
    }
    originators.set(code, valid);
  }
  return originators;
}

function readRules(reader: ConfigReader): Map<string, 'allow' | 'reject'> {
  const { prefix } = SMS_FAMILIES.rules;
  const rules = new Map<string, 'allow' | 'reject'>();
  for (const { code, name, value } of byCode(reader, prefix, /^[1-9]\d{0,14}$/)) {
    if (value !== 'allow' && value !== 'reject') {
      reader.problem(section, name, `must be allow or reject; it is ${JSON.stringify(value)}`);
    } else {
      rules.set(code, value);
    }
  }
  return rules;
}

/** What a provider cannot do without. */
const REQUIRED = {
  openmarket: [],
  twilio: [SMS.twilioAccountSid, SMS.twilioAuthToken],
  webhook: [SMS.webhookUrl, SMS.webhookSecret],
} as const;

function readProvider(reader: ConfigReader): SmsProviderConfig {
  const openmarket = {
    name: 'openmarket',
    url: reader.read(SMS.openMarketUrl),
    username: reader.read(SMS.username),
    password: reader.read(SMS.password),
  } as const;
  const twilio = {
    name: 'twilio',
    url: reader.read(SMS.twilioUrl),
    accountSid: reader.read(SMS.twilioAccountSid),
    authToken: reader.read(SMS.twilioAuthToken),
    from: reader.read(SMS.twilioFrom),
    messagingServiceSid: reader.read(SMS.twilioMessagingServiceSid),
  } as const;
  const webhook = {
    name: 'webhook',
    url: reader.read(SMS.webhookUrl),
    secret: reader.read(SMS.webhookSecret),
  } as const;
  const usable = openmarket.username !== '' || openmarket.url !== SMS.openMarketUrl.default;
  const providers = { openmarket: { ...openmarket, usable }, twilio, webhook };

  const name = reader.read(SMS.provider);
  const needs = `for sms.provider = ${name}`;
  for (const key of REQUIRED[name].filter((required) => reader.read(required) === '')) {
    reader.problem(section, key.name, `must be set ${needs}`);
  }
  if (name === 'twilio' && twilio.from === '' && twilio.messagingServiceSid === '') {
    const or = `must be set, or ${SMS.twilioMessagingServiceSid.name},`;
    reader.problem(section, SMS.twilioFrom.name, `${or} ${needs}`);
  }
  return providers[name];
}

export function readSms(reader: ConfigReader): SmsConfig {
  return {
    bodyTemplate: reader.read(SMS.bodyTemplate),
    provider: readProvider(reader),
    originators: readOriginators(reader),
    rules: readRules(reader),
  };
}
