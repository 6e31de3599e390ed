import type { Originator } from '../../config/sections/sms.ts';
import type { OpenMarketConfig } from '../../config/sections/sms-provider.ts';
import {
  basicAuthorization,
  headerText,
  isSuccess,
  jsonMembers,
  type SmsProvider,
  type SmsProviderDependencies,
  SmsRefusedError,
  TO_PROVIDER,
} from './provider.ts';

const TYPES_OF_NUMBER: Record<Originator['type'], number> = { long: 1, short: 3, alpha: 5 };

const DEFAULT_ORIGINATOR: Originator = { type: 'alpha', text: 'Matrix' };

/** OpenMarket's HTTP API, version 4. */
export function createOpenMarket(
  config: OpenMarketConfig,
  { outbound, time }: SmsProviderDependencies,
): SmsProvider {
  const authorization = basicAuthorization(config.username, config.password);
  return {
    async send({ to, body, originator = DEFAULT_ORIGINATOR }) {
      const answer = await outbound.request({
        method: 'POST',
        url: config.url,
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({
          mobileTerminate: {
            destination: { address: to },
            message: { content: body, type: 'text' },
            source: { ton: TYPES_OF_NUMBER[originator.type], address: originator.text },
          },
        }),
        time,
        ...TO_PROVIDER,
      });
      const requestId = headerText(answer.headers['x-request-id']);
      const messageId = headerText(answer.headers['location'])?.split(/[?#]/)[0]?.split('/').at(-1);
      const receipt = { ...(requestId && { requestId }), ...(messageId && { messageId }) };
      if (isSuccess(answer.status)) return receipt;
      const { error } = jsonMembers(answer.body);
      const { code, description } = Object(error) as Record<string, unknown>;
      throw new SmsRefusedError(answer.status, { code, description, receipt });
    },
  };
}
