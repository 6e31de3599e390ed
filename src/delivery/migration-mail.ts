import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { MigrationMail } from '../identity/associations/casefold.ts';
import type { Clock } from '../platform/clock.ts';
import type { Random } from '../platform/random.ts';
import { createMailer } from './mail/mailer.ts';
import { newMessageId, renderMessage } from './mail/message.ts';
import { operatorValues } from './operator-values.ts';
import { createBrands } from './templates/brands.ts';
import type { TemplateValues } from './templates/template.ts';
import { createCatalogues } from './templates/words.ts';

export interface MigrationMails {
  /** Tells somebody that their address leads to their account no longer. @throws IdentityError `email-not-sent`, `email-invalid` */
  send(mail: MigrationMail): Promise<void>;
  close(): Promise<void>;
}

export function createMigrationMails(
  config: Config,
  deps: { readonly logger: Logger; readonly clock: Clock; readonly random: Random },
): MigrationMails {
  const { email, general } = config;
  const { templatesPath, defaultBrand } = general;
  const brands = createBrands({ templatesPath, defaultBrand, singleFiles: {} }, deps);
  const mailer = createMailer(email, { onAttempt() {} });
  const { from, hostname, defaultLanguage } = email;
  const catalogues = createCatalogues();
  const operator = operatorValues(config);
  return {
    send: ({ to, mxid }) =>
      mailer.send(
        to,
        async () => {
          const { render } = await brands.find('migration', undefined);
          const messageId = newMessageId(hostname, deps.random);
          const words = await catalogues.in(defaultLanguage);
          const values = { ...operator, mxid };
          const rendered = (all: TemplateValues) => render(all, words);
          return renderMessage(rendered, { from, messageId, to, values }, deps);
        },
        // Whoever sends them is told what could not be sent.
        () => {},
      ),
    close: () => mailer.close(),
  };
}
