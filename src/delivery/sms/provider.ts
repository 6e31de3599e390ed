import type { Originator } from '../../config/sections/sms.ts';
import type { OutboundClient, TimeLimits } from '../../platform/outbound/outbound.ts';

/** A text message on its way to a provider. */
export interface TextMessage {
  /** E.164 without its plus sign. */
  readonly to: string;
  readonly body: string;
  /** Who it comes from; undefined: whoever the provider takes when nobody is named. */
  readonly originator: Originator | undefined;
}

/** Somebody who delivers text messages. */
export interface SmsProvider {
  /**
   * Resolves once the provider has taken the message, to what of its answer helps to find the message
   * there.
   * @throws SmsRefusedError, OutboundError
   */
  send(message: TextMessage): Promise<SmsReceipt>;
}

/** For the log. */
export type SmsReceipt = Readonly<Record<string, string>>;

export interface SmsProviderDependencies {
  readonly outbound: OutboundClient;
  /** For one message. */
  readonly time: TimeLimits;
}

/** The provider answered, but did not take the message. The text is for logs: no secret is in it. */
export class SmsRefusedError extends Error {
  override readonly name = 'SmsRefusedError';
  readonly receipt: SmsReceipt;
  readonly status: number;

  /** `code` and `description` as the provider gave them, whatever they are. */
  constructor(
    status: number,
    more: { code?: unknown; description?: unknown; receipt?: SmsReceipt } = {},
  ) {
    super(
      [`it answered ${status}`, shownCode(more.code), shownText(more.description)]
        .filter((part) => part !== '')
        .join(', '),
    );
    this.receipt = more.receipt ?? {};
    this.status = status;
  }
}

/** Of an error, not of a session: those have six digits. */
const shownCode = (given: unknown) =>
  /^[\w.-]{1,5}$/.test(String(given ?? '')) ? `code ${given}` : '';

/** Providers repeat what they refuse; digits in their words may be those of the session's code. */
function shownText(given: unknown): string {
  if (typeof given !== 'string') return '';
  const text = given.slice(0, 300).replaceAll(/\p{Cc}/gu, ' ');
  return text.replaceAll(/\d[\d\s.-]{2,}\d/g, '(digits)');
}

/** The members of a JSON object; none when the text is something else. */
export function jsonMembers(text: Buffer): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text.toString());
    return typeof value === 'object' && value !== null ? { ...value } : {};
  } catch {
    return {};
  }
}

/** The value of a header for the log. */
export function headerText(value: string | string[] | undefined): string | undefined {
  return typeof value === 'string' ? value.slice(0, 200) : undefined;
}

export const isSuccess = (status: number) => status >= 200 && status < 300;

export const basicAuthorization = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Of every request to a provider. Nothing that one has to say is longer. */
export const TO_PROVIDER = { room: 'configured', configured: true, maxBytes: 64 * 1024 } as const;
