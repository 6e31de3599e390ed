import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import { brandsOf } from '../delivery/delivery.ts';
import { createMails } from '../delivery/mails.ts';
import { createReporter, type MessageOutcome, type Report } from '../delivery/reporting.ts';
import { createCatalogues } from '../delivery/templates/words.ts';
import { createTestMessages } from '../delivery/test-messages.ts';
import { createRefusalLinks } from '../identity/invitations/refusal-links.ts';
import type { SendAgain } from '../identity/invitations/resending.ts';
import { createMessageTrail, type MessageTrail } from '../identity/messages/message-trail.ts';
import type { TestMessages } from '../identity/messages/test-messages.ts';
import { IdentityError } from '../model/errors.ts';
import { createBuckets } from '../platform/buckets.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import { createOutboundClient, type OutboundClient } from '../platform/outbound/outbound.ts';
import { createNameResolver } from '../platform/outbound/resolver.ts';
import { secureRandom } from '../platform/random.ts';
import type { Storage } from '../storage/stores/index.ts';
import { refusalUrlOf } from './api-root.ts';

type MessageMetrics = Pick<Metrics, 'emailSent' | 'smsSent' | 'message' | 'trailLeftOut'>;

const ignore = () => {};
const UNCOUNTED: MessageMetrics = {
  emailSent: ignore,
  smsSent: ignore,
  message: ignore,
  trailLeftOut: ignore,
};

/** What messages of operators go by; in a server its own log and metrics are told of them. */
export interface OperatorMessagesOptions {
  readonly storage: Pick<Storage, 'stores' | 'transaction' | 'logTransaction'>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics?: MessageMetrics;
}

/** Messages that operators have sent. */
export interface OperatorMessages {
  readonly testMessages: TestMessages;
  readonly sendInvitationAgain: SendAgain;
}

/** What is made for each, and closed after it. */
interface Tools {
  readonly trail: Pick<MessageTrail, 'note'>;
  readonly report: Report;
  outbound(): OutboundClient;
}

/** Messages by connections of their own; what became of each is written when it is answered. */
export function operatorMessages(
  config: Config,
  options: OperatorMessagesOptions,
): OperatorMessages {
  const { storage, clock, logger, metrics = UNCOUNTED } = options;
  const { ipBlacklist, ipWhitelist, dnsServers } = config.general;
  const random = secureRandom;
  const links = createRefusalLinks({ storage, random, url: refusalUrlOf(config) });

  async function withTools<T>(work: (tools: Tools) => Promise<T>): Promise<T> {
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
    try {
      return await work({
        trail,
        report: createReporter({ logger, clock, metrics, trail }),
        outbound,
      });
    } finally {
      await trail.stop();
      resolver.close();
    }
  }

  const tested = ({ report, outbound }: Tools) =>
    createTestMessages(config, { clock, random, metrics, report, outbound });

  return {
    testMessages: {
      mail: (to) => withTools((tools) => tested(tools).mail(to)),
      sms: (to) => withTools((tools) => tested(tools).sms(to)),
    },
    sendInvitationAgain: (mail, sender) =>
      withTools(async ({ trail, report }) => {
        const { address, brand } = mail;
        const details = { what: 'invitation', by: 'an operator', brand };
        trail.note({ event: 'asked', medium: 'email', address, mxid: sender, details });
        let told: MessageOutcome | undefined;
        const mails = createMails(config, {
          clock,
          random,
          metrics,
          brands: brandsOf(config, { clock, logger }),
          catalogues: createCatalogues(),
          report(message, outcome) {
            told = outcome;
            report(message, outcome);
          },
        });
        try {
          await mails.sendInvitation({ ...mail, refuseUrl: await links.linkFor(mail) });
        } catch (error) {
          if (!(error instanceof IdentityError) || told === undefined) throw error;
        } finally {
          await mails.close();
        }
        if (told?.outcome === 'sent') return undefined;
        return told?.advice?.text ?? String(told?.fields['reason'] ?? told?.outcome);
      }),
  };
}
