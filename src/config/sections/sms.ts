import { InvalidValueError, type Key, rate, sydentBurst, type Warn } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';
import { PROVIDER, readProvider, type SmsProviderConfig } from './sms-provider.ts';

export interface Originator {
  readonly type: 'long' | 'short' | 'alpha';
  readonly text: string;
}

export interface SmsConfig {
  readonly bodyTemplate: string;
  readonly provider: SmsProviderConfig;
  /** By calling code, and `default`. Never empty lists. */
  readonly originators: ReadonlyMap<string, readonly Originator[]>;
  /** By calling code. */
  readonly rules: ReadonlyMap<string, 'allow' | 'reject'>;
}

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

export const SMS = {
  bodyTemplate: {
    section,
    name: 'bodyTemplate',
    default: 'Your code is {token}',
    parse: bodyTemplate,
    about: 'The text of the message; {token} is the code.',
  },
  ...PROVIDER,
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
      reader.warn(`${is}: never used, because ${JSON.stringify(code)} is not a calling code`);
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
      reader.warn(`${is}: ${JSON.stringify(sender)} is not a number; a provider may refuse it`);
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

export function readSms(reader: ConfigReader): SmsConfig {
  return {
    bodyTemplate: reader.read(SMS.bodyTemplate),
    provider: readProvider(reader),
    originators: readOriginators(reader),
    rules: readRules(reader),
  };
}
