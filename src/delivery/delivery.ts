import type { Logger } from 'pino';
import type { Config } from '../config/config.ts';
import type { InvitationMail } from '../identity/invitations/invitation-text.ts';
import type { VerificationMail } from '../identity/validation/email-validation.ts';
import type { VerificationSms } from '../identity/validation/phone-validation.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { OutboundClient } from '../platform/outbound/outbound.ts';
import type { Random } from '../platform/random.ts';
import { createMailer } from './mail/mailer.ts';
import { encodeHeaderText, newMessageId, renderMessage } from './mail/message.ts';
import { pageRenderer } from './pages.ts';
import { createReporter, type ReporterDependencies } from './reporting.ts';
import { createSmsSender } from './sms/sms.ts';
import { type Brands, createBrands } from './templates/brands.ts';
import type { TemplateValues } from './templates/template.ts';

/** Everything that goes out to people: mails, text messages, and the page a mailed link opens. */
export interface Delivery {
  /** @throws IdentityError `email-not-sent`, `email-invalid` */
  sendVerification(mail: VerificationMail): Promise<void>;
  /** @throws IdentityError `email-not-sent`, `email-invalid` */
  sendInvitation(mail: InvitationMail): Promise<void>;
  /** @throws IdentityError `sms-not-sent`, `sms-off`, `overloaded` */
  sendVerificationSms(sms: VerificationSms): Promise<void>;
  readonly renderPage: ReturnType<typeof pageRenderer>;
  /** What is wrong with the templates in use, one line each. */
  checkTemplates(): Promise<string[]>;
  close(): Promise<void>;
}

export interface DeliveryDependencies {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Metrics;
  readonly outbound: OutboundClient;
  readonly trail: ReporterDependencies['trail'];
}

/** What readers still take for a subject, and what on one line, encoded, stays within the 998 octets relays take. */
const MAX_SUBJECT = { characters: 200, bytes: 500 };

function cutSubject(subject: string): string {
  const bytes = Buffer.from([...subject].slice(0, MAX_SUBJECT.characters).join(''));
  // As in a stream, half a character at the end is left out.
  return new TextDecoder().decode(bytes.subarray(0, MAX_SUBJECT.bytes), { stream: true });
}

/** The subject of an invitation. A percent sign that marks nothing stays as it is. */
function subjectOf(format: string, values: TemplateValues): string {
  const filled = format.replace(/%%|%\(([^()]*)\)s/g, (_marker, name?: string) =>
    name === undefined ? '%' : (values[name] ?? ''),
  );
  const subject = filled.replace(/\p{Cc}+/gu, ' ').trim();
  return encodeHeaderText(cutSubject(subject));
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
  const { email, http, sms } = config;
  const brands = brandsOf(config, deps);
  const report = createReporter(deps);
  const mailer = createMailer(email, { onAttempt: deps.metrics.emailSent });

  const smsSender = createSmsSender(sms, { ...deps, report });

  async function send(
    kind: 'verification' | 'invite',
    mail: { to: string; address: string; brand: string | undefined; values: TemplateValues },
  ): Promise<void> {
    const { from, hostname } = email;
    const messageId = newMessageId(hostname, deps.random);
    let brand: string | undefined;
    await mailer.send(
      mail.to,
      async () => {
        const found = await brands.find(kind, mail.brand);
        brand = found.brand;
        return renderMessage(found.render, { from, messageId, ...mail }, deps);
      },
      ({ outcome, fields, advice }) =>
        report(
          {
            medium: 'email',
            kind: kind === 'invite' ? 'invitation' : kind,
            address: mail.address,
          },
          { outcome, fields: { messageId, brand, ...fields }, advice },
        ),
    );
  }

  return {
    sendVerification: ({ to, address, brand, link, token, code = '', ipAddress }) =>
      send('verification', {
        to,
        address,
        brand,
        values: { link, token, code, ipaddress: ipAddress ?? 'an unknown location' },
      }),
    sendInvitation: ({ to, address, brand, isSpace, values }) => {
      const format = isSpace ? email.inviteSubjectSpace : email.inviteSubject;
      return send('invite', {
        to,
        address,
        brand,
        values: { ...values, subject_header_value: subjectOf(format, values) },
      });
    },
    sendVerificationSms: smsSender.sendCode,
    renderPage: pageRenderer(brands, http.pageContentSecurityPolicy),
    checkTemplates: async () => [...(await brands.missing()), ...(await brands.check())],
    close: () => mailer.close(),
  };
}
