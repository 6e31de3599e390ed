import type { Originator, SmsConfig } from '../../config/sections/sms.ts';
import type { SmsProviderConfig } from '../../config/sections/sms-provider.ts';
import type { MessageKind } from '../../identity/messages/message-events.ts';
import type { VerificationSms } from '../../identity/validation/phone-validation.ts';
import { IdentityError, reason, UnknownOutcomeError } from '../../model/errors.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { OutboundClient, TimeLimits } from '../../platform/outbound/outbound.ts';
import { OutboundError } from '../../platform/outbound/outbound-error.ts';
import type { PhoneNumber } from '../../platform/phone-numbers.ts';
import { inSpan } from '../../platform/tracing/scope.ts';
import type { Advice, MessageOutcome, Report } from '../reporting.ts';
import { createOpenMarket } from './openmarket.ts';
import { type SmsProvider, type SmsProviderDependencies, SmsRefusedError } from './provider.ts';
import { createTwilio } from './twilio.ts';
import { createWebhook } from './webhook.ts';

export interface SmsDependencies {
  readonly metrics: Pick<Metrics, 'smsSent'>;
  readonly outbound: OutboundClient;
  readonly report: Report;
  /** Where they are not to be the usual ones. */
  readonly time?: TimeLimits;
}

/** Milliseconds for one message. */
const TIME: TimeLimits = { answer: 15_000, total: 30_000 };

/** Milliseconds after which there may be room for another message. */
const RETRY_AFTER = 5000;

/** Whether messages can go out at all: a configuration that nobody touched names no account. */
export function canSendSms({ provider }: SmsConfig): boolean {
  return provider.name !== 'openmarket' || provider.usable;
}

function createProvider(config: SmsProviderConfig, deps: SmsProviderDependencies): SmsProvider {
  switch (config.name) {
    case 'openmarket':
      return createOpenMarket(config, deps);
    case 'twilio':
      return createTwilio(config, deps);
    case 'webhook':
      return createWebhook(config, deps);
  }
}

/** Python's str.format with the one field `token`. */
function fill(template: string, code: string): string {
  const values: Record<string, string> = { '{{': '{', '}}': '}', '{token}': code };
  return template.replaceAll(/\{\{|\}\}|\{token\}/g, (mark) => values[mark] ?? mark);
}

/** One of the calling code's senders, always the same for one number. */
function originatorFor(
  originators: SmsConfig['originators'],
  { msisdn, callingCode }: VerificationSms['to'],
): Originator | undefined {
  const list = originators.get(callingCode) ?? originators.get('default') ?? [];
  const sum = [...msisdn].reduce((total, digit) => total + Number(digit), 0);
  return list[sum % list.length];
}

/** Whether the provider may have had the whole message when things went wrong. */
const mayHaveGoneOut = (error: unknown) =>
  error instanceof OutboundError &&
  (error.afterSending || ['too-large', 'protocol'].includes(error.kind));

/** Which keys say where the provider is, and what it knows this server by. */
const KEYS: Record<SmsProviderConfig['name'], { readonly place: string; readonly secret: string }> =
  {
    openmarket: { place: 'sms.openmarket.url', secret: '[sms] username and password' },
    twilio: { place: 'sms.twilio.url', secret: 'sms.twilio.account_sid and sms.twilio.auth_token' },
    webhook: { place: 'sms.webhook.url', secret: 'sms.webhook.secret' },
  };

/** What an operator can change against a failure; undefined where it is the number, or one cannot tell. */
function adviceOn(name: SmsProviderConfig['name'], error: unknown): Advice | undefined {
  const { place, secret } = KEYS[name];
  if (error instanceof SmsRefusedError && [401, 403].includes(error.status)) {
    return {
      cause: 'msisdn login',
      text: `The provider of text messages refused ${secret} (${error.status}): set them to what it expects`,
    };
  }
  if (error instanceof SmsRefusedError && error.status === 404) {
    return { cause: 'msisdn place', text: `There is no provider of text messages at ${place}` };
  }
  if (!(error instanceof OutboundError) || error.kind === 'overloaded') return undefined;
  return {
    cause: `msisdn ${error.kind}`,
    text: `The provider of text messages cannot be reached (${error.message}): look at ${place}, and whether this server may connect to it`,
  };
}

/** What became of a message that the provider has not said yes to. */
function failureOf(name: SmsProviderConfig['name'], error: unknown): MessageOutcome | undefined {
  const advice = adviceOn(name, error);
  if (error instanceof SmsRefusedError) {
    return { outcome: 'refused', fields: { ...error.receipt, reason: error.message }, advice };
  }
  if (!(error instanceof OutboundError)) return undefined;
  const { kind: failure, message: reason } = error;
  const outcome = mayHaveGoneOut(error)
    ? 'unknown'
    : failure === 'overloaded'
      ? 'overloaded'
      : 'unreachable';
  return { outcome, fields: { failure, reason }, advice };
}

/** How a failure is told to who asked. */
function notSent(error: unknown): IdentityError {
  if (error instanceof OutboundError && error.kind === 'overloaded') {
    return new IdentityError('overloaded', 'Too many text messages are waiting; try again later', {
      details: { retry_after_ms: RETRY_AFTER },
      cause: error,
    });
  }
  if (error instanceof SmsRefusedError) {
    return new IdentityError(
      'sms-not-sent',
      'The provider of text messages did not take the message; it may not send to this number',
      { details: reason('provider-refused'), cause: error },
    );
  }
  return new IdentityError(
    'sms-not-sent',
    'The provider of text messages cannot be reached; try again later',
    {
      details: reason('provider-unreachable'),
      cause: mayHaveGoneOut(error)
        ? new UnknownOutcomeError('The provider did not say whether it took the message', {
            cause: error,
          })
        : error,
    },
  );
}

/** Sends codes by text message, through a provider. */
export interface SmsSender {
  /** @throws IdentityError `sms-not-sent`, or `overloaded` when too many are waiting already */
  sendCode(sms: VerificationSms): Promise<void>;
  /** Any text. @throws the same */
  send(to: PhoneNumber, body: string, kind: MessageKind): Promise<void>;
}

/** For the provider that the configuration names. */
export function createSmsSender(
  config: SmsConfig,
  { metrics, outbound, report, time = TIME }: SmsDependencies,
): SmsSender {
  const { name } = config.provider;
  const provider = createProvider(config.provider, { outbound, time });
  const aboutProvider = () => ({ name: 'SMS send', attributes: { 'cognomen.provider': name } });

  async function send(to: PhoneNumber, body: string, kind: MessageKind): Promise<void> {
    const message = { medium: 'msisdn', kind, address: to.msisdn } as const;
    const tell = ({ fields, ...more }: MessageOutcome) =>
      report(message, { ...more, fields: { provider: name, ...fields } });
    try {
      const originator = originatorFor(config.originators, to);
      const receipt = await inSpan(aboutProvider, () =>
        provider.send({ to: to.msisdn, body, originator }),
      );
      metrics.smsSent(name, 'sent');
      tell({ outcome: 'sent', fields: receipt });
    } catch (error) {
      const failure = failureOf(name, error);
      if (failure === undefined) throw error;
      metrics.smsSent(name, error instanceof SmsRefusedError ? 'refused' : 'unreachable');
      tell(failure);
      throw notSent(error);
    }
  }

  return {
    send,
    sendCode: ({ to, code }) => send(to, fill(config.bodyTemplate, code), 'verification'),
  };
}
