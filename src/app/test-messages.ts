import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { createReporter } from '../delivery/reporting.ts';
import { createTestMessages } from '../delivery/test-messages.ts';
import { createMessageTrail } from '../identity/messages/message-trail.ts';
import type { TestedMessage, TestMessages } from '../identity/messages/test-messages.ts';
import { createBuckets } from '../platform/buckets.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import { createOutboundClient } from '../platform/outbound/outbound.ts';
import { createNameResolver } from '../platform/outbound/resolver.ts';
import { secureRandom } from '../platform/random.ts';
import type { Storage } from '../storage/stores/index.ts';

type TestMetrics = Pick<Metrics, 'emailSent' | 'smsSent' | 'message' | 'trailLeftOut'>;

const ignore = () => {};
const UNCOUNTED: TestMetrics = {
  emailSent: ignore,
  smsSent: ignore,
  message: ignore,
  trailLeftOut: ignore,
};

/** What test messages go by; in a server its own log and metrics are told of them. */
export interface TestMessagesOptions {
  readonly storage: Pick<Storage, 'stores' | 'transaction'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: TestMetrics;
}

/** Test messages by connections of their own, made for each and closed after it. */
export function testMessages(config: Config, options: TestMessagesOptions): TestMessages {
  const { storage, clock, logger, metrics = UNCOUNTED } = options;
  const { ipBlacklist, ipWhitelist, dnsServers } = config.general;

  async function withTools(
    work: (tools: TestMessages) => Promise<TestedMessage>,
  ): Promise<TestedMessage> {
    const random = secureRandom;
    const trail = createMessageTrail({
      storage,
      clock,
      buckets: createBuckets(clock),
      logger,
      kept: config.messages.kept,
      onLeftOut: metrics.trailLeftOut,
    });
    const resolver = createNameResolver({ servers: dnsServers, clock });
    const outbound = () =>
      createOutboundClient({
        blacklist: ipBlacklist,
        whitelist: ipWhitelist,
        resolver,
        clock,
        metrics: { outboundRequest: ignore, outboundRooms: ignore },
        logger,
      });
    const report = createReporter({ logger, clock, metrics, trail });
    try {
      return await work(createTestMessages(config, { clock, random, metrics, report, outbound }));
    } finally {
      await trail.stop();
      resolver.close();
    }
  }

  return {
    mail: (to) => withTools((tools) => tools.mail(to)),
    sms: (to) => withTools((tools) => tools.sms(to)),
  };
}
