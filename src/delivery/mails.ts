import type { Config } from '../config/config.ts';
import { EMAIL } from '../config/sections/email.ts';
import type { InvitationMail } from '../identity/invitations/invitation-text.ts';
import type { MessageKind } from '../identity/messages/message-events.ts';
import type { OwnerNoticeMail } from '../identity/owner-notices/mailing.ts';
import type { OwnerCodeMail, VerificationMail } from '../identity/validation/email-validation.ts';
import type { Language } from '../model/languages.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { Random } from '../platform/random.ts';
import { encodeHeaderText } from './mail/header-text.ts';
import { createMailer } from './mail/mailer.ts';
import { newMessageId, renderMessage } from './mail/message.ts';
import { operatorValues } from './operator-values.ts';
import type { Report } from './reporting.ts';
import type { Brands, FoundTemplate, TemplateKind } from './templates/brands.ts';
import type { TemplateValues } from './templates/template.ts';
import type { Catalogues, Words } from './templates/words.ts';

/** The mails that go out to people. */
export interface Mails {
  /** @throws IdentityError `email-not-sent`, `email-invalid` */
  sendVerification(mail: VerificationMail): Promise<void>;
  /** @throws IdentityError `email-not-sent`, `email-invalid` */
  sendOwnerCode(mail: OwnerCodeMail): Promise<void>;
  /** @throws IdentityError `email-not-sent`, `email-invalid` */
  sendInvitation(mail: InvitationMail): Promise<void>;
  /** Fails as `sendInvitation` does while the relay takes nothing, and sends nothing. @throws IdentityError `email-not-sent` */
  withholdInvitation(mail: InvitationMail): Promise<void>;
  /** @throws IdentityError `email-not-sent`, `email-invalid` */
  sendOwnerNotice(mail: OwnerNoticeMail): Promise<void>;
  close(): Promise<void>;
}

export interface MailsDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Pick<Metrics, 'emailSent'>;
  readonly brands: Brands;
  readonly catalogues: Catalogues;
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

/** A subject that the configuration gives. A percent sign that marks nothing stays as it is. */
function fillIn(format: string, values: TemplateValues): string {
  return format.replace(/%%|%\(([^()]*)\)s/g, (_marker, name?: string) =>
    name === undefined ? '%' : (values[name] ?? ''),
  );
}

/** The subject of an invitation: of a stock mail in its language, unless the operator has put another. */
function inviteSubject(
  email: Config['email'],
  { isSpace, values }: Pick<InvitationMail, 'isSpace' | 'values'>,
  { builtIn }: FoundTemplate,
  words: Words,
): string {
  const who =
    values['sender_display_name'] || values['verified_sender'] || words.t('invite.someone');
  const key = isSpace ? EMAIL.inviteSubjectSpace : EMAIL.inviteSubject;
  const format = isSpace ? email.inviteSubjectSpace : email.inviteSubject;
  const subject =
    builtIn && format === key.default
      ? words.t('invite.subject', { who, kind: isSpace ? 'space' : 'room' })
      : fillIn(format, { ...values, sender_display_name: who });
  return encodeHeaderText(cutSubject(subject.replace(/\p{Cc}+/gu, ' ').trim()));
}

const HOUR = 60 * 60 * 1000;
const DAY = 24 * HOUR;

/** What the mails of each kind of template are called. */
const KINDS = {
  verification: 'verification',
  invite: 'invitation',
  owner_code: 'verification',
  notice: 'owner-notice',
} as const satisfies Partial<Record<TemplateKind, MessageKind>>;

/** A time as people read it; digits are those of all other numbers. */
const timeIn = ({ lang }: Words, time: number): string => {
  const style = { dateStyle: 'long', timeStyle: 'short', hourCycle: 'h23' } as const;
  return `${new Intl.DateTimeFormat(`${lang}-u-nu-latn`, { ...style, timeZone: 'UTC' }).format(time)} UTC`;
};

/** A mail, but for what its template says. */
interface Addressed {
  readonly to: string;
  readonly address: string;
  readonly brand: string | undefined;
  readonly language: Language | undefined;
}

export function createMails(config: Config, deps: MailsDependencies): Mails {
  const { email } = config;
  const mailer = createMailer(email, { onAttempt: deps.metrics.emailSent });
  const operator = operatorValues(config);
  const { expiry } = email.invites;
  // Part of a day is not said: the link works for longer.
  const inviteDays = expiry >= DAY ? String(Math.floor(expiry / DAY)) : '';

  async function send(
    kind: keyof typeof KINDS,
    mail: Addressed,
    valuesFor: (found: FoundTemplate, words: Words) => TemplateValues,
    headers: readonly string[] = [],
  ): Promise<void> {
    const { from, hostname } = email;
    const { to } = mail;
    const messageId = newMessageId(hostname, deps.random);
    let brand: string | undefined;
    await mailer.send(
      to,
      async () => {
        const found = await deps.brands.find(kind, mail.brand);
        brand = found.brand;
        const words = await deps.catalogues.in(mail.language ?? email.defaultLanguage);
        const values = { ...operator, ...valuesFor(found, words) };
        const render = (all: TemplateValues) => found.render(all, words);
        return renderMessage(render, { from, to, messageId, values, headers }, deps);
      },
      ({ outcome, fields, advice }) =>
        deps.report(
          {
            medium: 'email',
            kind: KINDS[kind],
            address: mail.address,
          },
          { outcome, fields: { messageId, brand, ...fields }, advice },
        ),
      messageId,
    );
  }

  return {
    sendVerification: (mail) =>
      send('verification', mail, () => ({
        link: mail.link,
        token: mail.token,
        code: mail.code ?? '',
        ipaddress: mail.ipAddress ?? 'an unknown location',
        client_address: mail.ipAddress ?? '',
        valid_hours: String(mail.lifetime / HOUR),
      })),
    sendOwnerCode: (mail) =>
      send('owner_code', mail, () => ({
        code: mail.code,
        client_address: mail.ipAddress ?? '',
      })),
    sendInvitation: (mail) => {
      const valuesFor = (found: FoundTemplate, words: Words) => ({
        ...mail.values,
        valid_days: inviteDays,
        refuse_url: mail.refuseUrl ?? '',
        subject_header_value: inviteSubject(email, mail, found, words),
      });
      return send('invite', mail, valuesFor, refusing(mail.refuseUrl));
    },
    withholdInvitation: ({ address, brand }) =>
      mailer.withhold(({ outcome, fields, advice }) => {
        const message = { medium: 'email', kind: 'invitation', address } as const;
        deps.report(message, { outcome, fields: { brand, ...fields }, advice });
      }),
    sendOwnerNotice: ({ address, ...mail }) => {
      // The language of who has done it may be one that its owner does not read.
      const addressed = { to: address, address, brand: undefined, language: undefined };
      return send('notice', addressed, (_found, words) => ({
        address,
        mxid: mail.mxid,
        new_mxid: mail.newMxid ?? '',
        new_homeserver: mail.newHomeserver ?? '',
        homeserver: mail.homeserver ?? '',
        changed: timeIn(words, mail.changedAt),
        changes: String(mail.changes),
        since: timeIn(words, mail.since),
      }));
    },
    close: () => mailer.close(),
  };
}
