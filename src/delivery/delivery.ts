import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { VerificationSms } from '../identity/validation/phone-validation.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { OutboundClient } from '../platform/outbound/outbound.ts';
import type { Random } from '../platform/random.ts';
import { createLogo, faultsOfLogo, type Logo } from './logo.ts';
import { createMails, type Mails } from './mails.ts';
import { operatorValues } from './operator-values.ts';
import { ownerPageRenderer } from './owner-page.ts';
import { pageRenderer } from './pages.ts';
import { createReporter, type ReporterDependencies } from './reporting.ts';
import { canSendSms, createSmsSender } from './sms/sms.ts';
import { type Brands, createBrands } from './templates/brands.ts';
import { createCatalogues } from './templates/words.ts';

/** Everything that goes out to people: mails, text messages, and the page a mailed link opens. */
export interface Delivery extends Mails {
  /** @throws IdentityError `sms-not-sent`, `sms-off`, `overloaded` */
  sendVerificationSms(sms: VerificationSms): Promise<void>;
  readonly renderPage: ReturnType<typeof pageRenderer>;
  readonly renderOwnerPage: ReturnType<typeof ownerPageRenderer>;
  /** Undefined: there is none. */
  readonly logo: Logo | undefined;
  /** What is wrong with the templates and the logo in use, one line each. */
  checkTemplates(): Promise<string[]>;
}

export interface DeliveryDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly outbound: OutboundClient;
  readonly trail: ReporterDependencies['trail'];
}

/** The templates that the configuration names. */
export function brandsOf(
  { email, general, http }: Config,
  deps: Pick<DeliveryDependencies, 'clock' | 'logger'>,
): Brands {
  return createBrands(
    {
      templatesPath: general.templatesPath,
      defaultBrand: general.defaultBrand,
      singleFiles: {
        verification: email.template,
        invite: email.inviteTemplate,
        page: http.verifyResponseTemplate,
      },
    },
    deps,
  );
}

export function createDelivery(config: Config, deps: DeliveryDependencies): Delivery {
  const brands = brandsOf(config, deps);
  const report = createReporter(deps);
  const catalogues = createCatalogues();
  const { logo: logoFile } = config.general.operator;
  const logo = logoFile ? createLogo(logoFile) : undefined;
  const mails = createMails(config, { ...deps, brands, catalogues, report });
  const { defaultLanguage } = config.email;
  const shown = { catalogues, logo, operator: operatorValues(config), defaultLanguage };
  const smsSender = createSmsSender(config.sms, { ...deps, report });
  return {
    ...mails,
    sendVerificationSms: smsSender.sendCode,
    renderPage: pageRenderer({
      ...shown,
      brands,
      operatorPolicy: config.http.pageContentSecurityPolicy,
    }),
    renderOwnerPage: ownerPageRenderer({
      ...shown,
      defaultBrand: config.general.defaultBrand,
      takesNumbers: canSendSms(config.sms),
    }),
    logo,
    checkTemplates: async () => [
      ...(await brands.missing()),
      ...(await brands.check()),
      ...(await faultsOfLogo(logoFile)),
    ],
  };
}
