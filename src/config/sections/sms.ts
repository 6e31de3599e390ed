import type { Originator, SmsConfig } from '../config.ts';
import { InvalidValueError, type Key, positive, text } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

const section = 'sms';

/** Python's str.format with the one field `token`. */
function bodyTemplate(value: string): string {
  const rest = value.replaceAll('{{', '').replaceAll('}}', '').replaceAll('{token}', '');
  if (!/[{}]/.test(rest)) return value;
  throw new InvalidValueError('text with {token} in it; other braces are written {{ and }}');
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
    about: 'The user name at the provider.',
  },
  password: {
    section,
    name: 'password',
    default: '',
    parse: text,
    secret: true,
    about: 'The password at the provider.',
  },
  msisdnBurst: {
    section,
    name: 'msisdn.ratelimit.burst',
    default: '5',
    parse: positive,
    about: 'How many messages can go to one number at once.',
  },
  msisdnRate: {
    section,
    name: 'msisdn.ratelimit.rate_hz',
    default: '1/3600',
    parse: positive,
    about: 'How many messages a second can go to one number in the long run.',
  },
  countryBurst: {
    section,
    name: 'country.ratelimit.burst',
    default: '50',
    parse: positive,
    about: 'How many messages can go to one calling code at once.',
  },
  countryRate: {
    section,
    name: 'country.ratelimit.rate_hz',
    default: '1/60',
    parse: positive,
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
    about: 'Whether messages go to a calling code: allow or reject. Without a rule they do.',
  },
} as const;

function originator(entry: string): Originator | undefined {
  const match = /^(long|short|alpha):(.+)$/.exec(entry.trim());
  if (match === null) return undefined;
  const [, type, given = ''] = match;
  const sender = given.trim();
  if (type !== 'alpha' && !/^\+?\d+$/.test(sender)) return undefined;
  return { type: type as Originator['type'], text: sender };
}

function readOriginators(reader: ConfigReader): Map<string, Originator[]> {
  const { prefix } = SMS_FAMILIES.originators;
  const originators = new Map<string, Originator[]>();
  for (const [code, value] of reader.family(section, prefix)) {
    const entries = value.split(',').map(originator);
    const valid = entries.filter((entry) => entry !== undefined);
    if (!/^(\d{1,3}|default)$/.test(code)) {
      reader.problem(section, prefix + code, 'must end in a calling code, or in default');
    } else if (valid.length < entries.length) {
      reader.problem(
        section,
        prefix + code,
        `must be long:NUMBER, short:NUMBER or alpha:TEXT, several between commas; it is ${JSON.stringify(value)}`,
      );
    }
    originators.set(code, valid);
  }
  return originators;
}

function readRules(reader: ConfigReader): Map<string, 'allow' | 'reject'> {
  const { prefix } = SMS_FAMILIES.rules;
  const rules = new Map<string, 'allow' | 'reject'>();
  for (const [code, value] of reader.family(section, prefix)) {
    if (!/^\d{1,3}$/.test(code)) {
      reader.problem(section, prefix + code, 'must end in a calling code, such as smsrule.44');
    }
    if (value !== 'allow' && value !== 'reject') {
      const what = `must be allow or reject; it is ${JSON.stringify(value)}`;
      reader.problem(section, prefix + code, what);
    } else {
      rules.set(code, value);
    }
  }
  return rules;
}

export function readSms(reader: ConfigReader): SmsConfig {
  return {
    bodyTemplate: reader.read(SMS.bodyTemplate),
    username: reader.read(SMS.username),
    password: reader.read(SMS.password),
    originators: readOriginators(reader),
    rules: readRules(reader),
    msisdnRateLimit: {
      burst: reader.read(SMS.msisdnBurst),
      rateHz: reader.read(SMS.msisdnRate),
    },
    countryRateLimit: {
      burst: reader.read(SMS.countryBurst),
      rateHz: reader.read(SMS.countryRate),
    },
  };
}
