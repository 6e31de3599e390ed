import type { Logger } from 'pino';
import type { Originator, SmsConfig } from '../../config/sections/sms.ts';
import type { SmsProviderConfig } from '../../config/sections/sms-provider.ts';
import type { VerificationSms } from '../../identity/validation/phone-validation.ts';
import { IdentityError, UnknownOutcomeError } from '../../model/errors.ts';
import type { Metrics } from '../../platform/metrics.ts';
import type { OutboundClient, TimeLimits } from '../../platform/outbound/outbound.ts';
import { OutboundError } from '../../platform/outbound/outbound-error.ts';
import { createOpenMarket } from './openmarket.ts';
import { type SmsProvider, type SmsProviderDependencies, SmsRefusedError } from './provider.ts';
import { createTwilio } from './twilio.ts';
import { createWebhook } from './webhook.ts';

export interface SmsDependencies {
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly outbound: OutboundClient;
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

/**
 * Sends codes by text message, through the provider that the configuration names.
 * Sending rejects with IdentityError `sms-not-sent`, or `overloaded` when too many are waiting already.
 */
export function createSmsSender(
  config: SmsConfig,
  { logger, metrics, outbound, time = TIME }: SmsDependencies,
): (sms: VerificationSms) => Promise<void> {
  const { name } = config.provider;
  const provider = createProvider(config.provider, { outbound, time });
  const log = logger.child({ provider: name });
  const notSent = (cause?: unknown) =>
    cause instanceof OutboundError && cause.kind === 'overloaded'
      ? new IdentityError('overloaded', 'Too many text messages are waiting; try again later', {
          details: { retry_after_ms: RETRY_AFTER },
          cause,
        })
      : new IdentityError('sms-not-sent', 'The text message could not be sent', {
          cause: mayHaveGoneOut(cause)
            ? new UnknownOutcomeError('The provider did not say whether it took the message', {
                cause,
              })
            : cause,
        });

  return async ({ to, code }) => {
    if (!canSendSms(config)) {
      log.error('Text message not sent: [sms] username is empty, so there is nobody to send it');
      throw notSent();
    }
    try {
      const receipt = await provider.send({
        to: to.msisdn,
        body: fill(config.bodyTemplate, code),
        originator: originatorFor(config.originators, to),
      });
      metrics.smsSent(name, 'sent');
      log.info(receipt, 'Text message sent');
    } catch (error) {
      if (error instanceof SmsRefusedError) {
        metrics.smsSent(name, 'refused');
        log.error({ ...error.receipt, reason: error.message }, 'Text message refused');
      } else if (error instanceof OutboundError) {
        metrics.smsSent(name, 'unreachable');
        log.error({ kind: error.kind, reason: error.message }, 'Text message not sent');
      } else {
        throw error;
      }
      throw notSent(error);
    }
  };
}
