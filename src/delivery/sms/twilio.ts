import type { Originator } from '../../config/sections/sms.ts';
import type { TwilioConfig } from '../../config/sections/sms-provider.ts';
import {
  basicAuthorization,
  isSuccess,
  jsonMembers,
  type SmsProvider,
  type SmsProviderDependencies,
  SmsRefusedError,
  TO_PROVIDER,
} from './provider.ts';

function sender(config: TwilioConfig, originator: Originator | undefined): Record<string, string> {
  if (originator !== undefined) {
    const { type, text } = originator;
    return { From: type === 'long' ? `+${text.replace(/^\+/, '')}` : text };
  }
  const { from, messagingServiceSid } = config;
  return {
    ...(from === '' ? {} : { From: from }),
    ...(messagingServiceSid === '' ? {} : { MessagingServiceSid: messagingServiceSid }),
  };
}

/** Twilio's HTTP API of 2010-04-01. */
export function createTwilio(
  config: TwilioConfig,
  { outbound, time }: SmsProviderDependencies,
): SmsProvider {
  const authorization = basicAuthorization(config.accountSid, config.authToken);
  return {
    async send({ to, body, originator }) {
      const form = { To: `+${to}`, ...sender(config, originator), Body: body };
      const answer = await outbound.request({
        method: 'POST',
        url: `${config.url}/2010-04-01/Accounts/${config.accountSid}/Messages.json`,
        headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams(form).toString(),
        time,
        ...TO_PROVIDER,
      });
      const { sid, code, message } = jsonMembers(answer.body);
      if (!isSuccess(answer.status)) {
        throw new SmsRefusedError(answer.status, { code, description: message });
      }
      return typeof sid === 'string' ? { messageId: sid.slice(0, 64) } : {};
    },
  };
}
