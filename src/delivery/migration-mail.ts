import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { MigrationMail } from '../identity/associations/casefold.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { createMailer } from './mail/mailer.ts';
import { newMessageId, renderMessage } from './mail/message.ts';
import { createBrands } from './templates/brands.ts';

export interface MigrationMails {
  /** Tells somebody that their address leads to their account no longer. @throws IdentityError `email-not-sent`, `email-invalid` */
  send(mail: MigrationMail): Promise<void>;
  close(): Promise<void>;
}

export function createMigrationMails(
  { email, general }: Config,
  deps: { readonly logger: Logger; readonly clock: Clock; readonly random: Random },
): MigrationMails {
  const { templatesPath, defaultBrand } = general;
  const brands = createBrands({ templatesPath, defaultBrand, singleFiles: {} }, deps);
  const mailer = createMailer(email, { onAttempt() {} });
  const { from, hostname } = email;
  return {
    send: ({ to, mxid }) =>
      mailer.send(
        to,
        async () => {
          const { render } = await brands.find('migration', undefined);
          const messageId = newMessageId(hostname, deps.random);
          return renderMessage(render, { from, messageId, to, values: { mxid } }, deps);
        },
        // Whoever sends them is told what could not be sent.
        () => {},
      ),
    close: () => mailer.close(),
  };
}
