import { createHmac } from 'node:crypto';
import type { WebhookConfig } from '../../config/sections/sms-provider.ts';
import {
  isSuccess,
  type SmsProvider,
  type SmsProviderDependencies,
  SmsRefusedError,
  TO_PROVIDER,
} from './provider.ts';

/** Any program that takes messages by HTTP and knows the secret; docs/operations.md says how it checks. */
export function createWebhook(
  { url, secret }: WebhookConfig,
  { outbound, time }: SmsProviderDependencies,
): SmsProvider {
  return {
    async send({ to, body: text, originator }) {
      const body = JSON.stringify({ to, body: text, originator: originator ?? null });
      const signature = createHmac('sha256', secret).update(body).digest('hex');
      const { status } = await outbound.request({
        method: 'POST',
        url,
        headers: {
          'content-type': 'application/json',
          'x-cognomen-signature': `sha256=${signature}`,
        },
        body,
        time,
        ...TO_PROVIDER,
      });
      if (!isSuccess(status)) throw new SmsRefusedError(status);
      return {};
    },
  };
}
