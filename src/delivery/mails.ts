import type { Config } from '../config/config.ts';
import type { InvitationMail } from '../identity/invitations/invitation-text.ts';
import type { VerificationMail } from '../identity/validation/email-validation.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Random } from '../platform/random.ts';
import { createMailer } from './mail/mailer.ts';
import { encodeHeaderText, newMessageId, renderMessage } from './mail/message.ts';
import type { Report } from './reporting.ts';
import type { Brands } from './templates/brands.ts';
import type { TemplateValues } from './templates/template.ts';

/** The mails that go out to people. */
export interface Mails {
  /** @throws IdentityError `email-not-sent`, `email-invalid` */
  sendVerification(mail: VerificationMail): Promise<void>;
  /** @throws IdentityError `email-not-sent`, `email-invalid` */
  sendInvitation(mail: InvitationMail): Promise<void>;
  close(): Promise<void>;
}

export interface MailsDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Pick<Metrics, 'emailSent'>;
  readonly brands: Brands;
  readonly report: Report;
}

/** What readers still take for a subject, and what on one line, encoded, stays within the 998 octets relays take. */
const MAX_SUBJECT = { characters: 200, bytes: 500 };

function cutSubject(subject: string): string {
  const bytes = Buffer.from([...subject].slice(0, MAX_SUBJECT.characters).join(''));
  // As in a stream, half a character at the end is left out.
  return new TextDecoder().decode(bytes.subarray(0, MAX_SUBJECT.bytes), { stream: true });
}

/** The headers by which mail programs offer to have no more of such mails (RFC 2369, RFC 8058). */
function refusing(url: string | undefined): string[] {
  if (url === undefined) return [];
  // What posts there wants a URL that nobody can have changed on its way.
  const oneClick = url.startsWith('https:')
    ? ['List-Unsubscribe-Post: List-Unsubscribe=One-Click']
    : [];
  return [`List-Unsubscribe: <${url}>`, ...oneClick];
}

/** The subject of an invitation. A percent sign that marks nothing stays as it is. */
function subjectOf(format: string, values: TemplateValues): string {
  const filled = format.replace(/%%|%\(([^()]*)\)s/g, (_marker, name?: string) =>
    name === undefined ? '%' : (values[name] ?? ''),
  );
  const subject = filled.replace(/\p{Cc}+/gu, ' ').trim();
  return encodeHeaderText(cutSubject(subject));
}

export function createMails({ email }: Config, deps: MailsDependencies): Mails {
  const mailer = createMailer(email, { onAttempt: deps.metrics.emailSent });

  async function send(
    kind: 'verification' | 'invite',
    mail: {
      to: string;
      address: string;
      brand: string | undefined;
      values: TemplateValues;
      headers?: readonly string[];
    },
  ): Promise<void> {
    const { from, hostname } = email;
    const messageId = newMessageId(hostname, deps.random);
    let brand: string | undefined;
    await mailer.send(
      mail.to,
      async () => {
        const found = await deps.brands.find(kind, mail.brand);
        brand = found.brand;
        return renderMessage(found.render, { from, messageId, ...mail }, deps);
      },
      ({ outcome, fields, advice }) =>
        deps.report(
          {
            medium: 'email',
            kind: kind === 'invite' ? 'invitation' : kind,
            address: mail.address,
          },
          { outcome, fields: { messageId, brand, ...fields }, advice },
        ),
      messageId,
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
    sendInvitation: ({ to, address, brand, isSpace, values, refuseUrl }) => {
      const format = isSpace ? email.inviteSubjectSpace : email.inviteSubject;
      return send('invite', {
        to,
        address,
        brand,
        values: { ...values, subject_header_value: subjectOf(format, values) },
        headers: refusing(refuseUrl),
      });
    },
    close: () => mailer.close(),
  };
}
