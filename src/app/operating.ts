import pino from 'pino';
import type { Config } from '../config/config.ts';
import { MAX_REPORT, readDeliveryReport } from '../delivery/mail/delivery-report.ts';
import { createMigrationMails } from '../delivery/migration-mail.ts';
import { createPreviews } from '../delivery/preview.ts';
import { type Associations, createAssociations } from '../identity/associations/associations.ts';
import { createOnbindNotices } from '../identity/invitations/onbind-notices.ts';
import { createServerKeys } from '../identity/server-keys.ts';
import type { OperationContext } from '../operations/operation.ts';
import { systemClock } from '../platform/clock.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { createPhoneNumbers } from '../platform/phone-numbers.ts';
import { createProgress } from '../platform/progress.ts';
import { secureRandom } from '../platform/random.ts';
import { signUrlOf } from './api-root.ts';
import { type OperatorMessagesOptions, operatorMessages } from './operator-messages.ts';
import { seeRotationThrough } from './see-rotation-through.ts';

const silent = pino({ level: 'silent' });
const ignore = () => {};

/**
 * What operations are given: of a server that runs, or, what is missing, made for one command.
 * @param telling where a server tells of the messages that they send
 */
export function operationContext(
  config: Config,
  given: Pick<OperationContext, 'storage'> & Partial<OperationContext>,
  telling: Pick<OperatorMessagesOptions, 'logger' | 'metrics'> = { logger: silent },
): OperationContext {
  const made = {
    config,
    keys: createServerKeys(config.general.serverName, config.crypto),
    clock: systemClock,
    random: secureRandom,
    progress: createProgress({ logger: silent, clock: systemClock }),
    ...given,
  };
  return {
    associations: () => associationsOf(made),
    seeRotationThrough: (number) => seeRotationThrough(number, made),
    ...operatorMessages(config, { ...made, ...telling }),
    previews: createPreviews(config, { clock: made.clock, logger: silent }),
    signUrl: signUrlOf(config),
    deliveryReports: { read: readDeliveryReport, mostOctets: MAX_REPORT },
    parsePhoneNumber: createPhoneNumbers().parse,
    migrationMails: () => createMigrationMails(config, { ...made, logger: silent }),
    ...made,
  };
}

/** For one command: the servers that run see what it writes, tell homeservers and push to peers. */
async function associationsOf({
  config,
  storage,
  keys,
  clock,
  random,
}: Pick<
  OperationContext,
  'config' | 'storage' | 'keys' | 'clock' | 'random'
>): Promise<Associations> {
  const pepper = await storage.stores.verification.pepper();
  if (pepper === undefined) {
    throw new OperatorError('The database has no pepper yet; start the server once first');
  }
  return createAssociations({
    storage: { logTransaction: storage.logTransaction, pepper },
    keys,
    clock,
    notices: createOnbindNotices({
      keys,
      clock,
      random,
      logger: silent,
      metrics: { notice: ignore },
      expiry: config.email.invites.expiry,
      added: ignore,
    }),
    // Of what operators do, they tell people themselves.
    ownerNotices: undefined,
    // They count what sessions bind.
    limits: { most: () => Number.POSITIVE_INFINITY, reached: () => false },
    trail: { note: ignore },
    logged: ignore,
    onChange: ignore,
  });
}
