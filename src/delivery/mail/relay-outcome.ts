import type { RelayConfig } from '../../config/sections/relay.ts';
import { IdentityError, UnknownOutcomeError } from '../../model/errors.ts';
import type { Advice, MessageOutcome } from '../reporting.ts';

/** What of an SMTP failure can be told: the relay's answer, not what was sent to it. */
interface Failure {
  readonly code: string | undefined;
  readonly command: string | undefined;
  readonly responseCode: number | undefined;
  readonly reason?: string;
}

const MAX_TEXT = 300;

/** A relay may repeat what it was sent, such as the link with its token. */
const shown = (text: string) =>
  text
    .replaceAll(/\bhttps?:\S+/gi, '(link)')
    .replaceAll(/\p{Cc}+/gu, ' ')
    .slice(0, MAX_TEXT);

function describe(error: unknown): Failure {
  if (!(error instanceof Error)) {
    return { code: undefined, command: undefined, responseCode: undefined, reason: String(error) };
  }
  const { code, command, responseCode } = error as Error & Partial<Failure>;
  // What a relay repeats there may be the password.
  if (code === 'EAUTH') return { code, command, responseCode };
  return { code, command, responseCode, reason: shown(error.message) };
}

/** What an operator can change against it; undefined where it is the addressee, or one cannot tell. */
function adviceOn(
  { code, command, responseCode, reason = '' }: Failure,
  { host, port, tlsMode, username }: RelayConfig,
): Advice | undefined {
  const relay = `the relay ${host}:${port}`;
  const advice = (cause: string, text: string): Advice => ({ cause: `email ${cause}`, text });
  if (code === 'EAUTH') {
    return responseCode === undefined
      ? advice('login', `There is no way to log in to ${relay}: look at email.tlsmode`)
      : advice(
          'login',
          `email.smtppassword was refused by ${relay} (${responseCode}): set it, and email.smtpusername, to what the relay expects`,
        );
  }
  if (/ECONNREFUSED|EHOSTUNREACH|ENETUNREACH/.test(reason)) {
    return advice(
      'connection',
      `Nothing takes connections at ${relay}: look at email.smtphost and email.smtpport, and whether the relay runs`,
    );
  }
  if (code === 'EDNS' || /ENOTFOUND|EAI_AGAIN/.test(reason)) {
    return advice('name', `No address is found of ${relay}: look at email.smtphost`);
  }
  if (/certificate|altnames/i.test(reason)) {
    return advice(
      'certificate',
      `The certificate of ${relay} is not trusted (${reason}): let NODE_EXTRA_CA_CERTS name its authority, or look at email.smtphost`,
    );
  }
  if (code === 'ETLS' || /SSL|wrong version number/.test(reason)) {
    return advice(
      'tls',
      `There is no TLS with ${relay}: email.tlsmode = ${tlsMode} does not fit what is at email.smtpport`,
    );
  }
  if (command === 'CONN' && responseCode === undefined) {
    return advice(
      'silence',
      `There is no answer from ${relay}: look at email.smtphost, email.smtpport and email.tlsmode, and at firewalls`,
    );
  }
  if (responseCode === 530 || (responseCode !== undefined && /authentication/i.test(reason))) {
    return advice(
      'login',
      username === ''
        ? `A login is wanted by ${relay}: set email.smtpusername and email.smtppassword`
        : `The login of email.smtpusername is not enough for ${relay}: look at email.tlsmode and at the rights of that user`,
    );
  }
  if (command === 'MAIL FROM' && responseCode !== undefined && responseCode >= 500) {
    return advice('sender', `The address in email.from was refused by ${relay} (${responseCode})`);
  }
  if (command === 'RCPT TO' && /\brelay/i.test(reason)) {
    return advice(
      'relaying',
      `Mails of this server are not passed on by ${relay}: allow this server there, or set email.smtpusername and email.smtppassword`,
    );
  }
  return undefined;
}

/** What the relay calls the mail in its own log, where it says so. */
const queueIdIn = (reply: string): string | undefined =>
  /\b(?:queued as|id=|InternalId=)[ <]{0,2}([\w.@+-]{3,200})/i.exec(reply)?.[1];

/** Of a mail that the relay took, saying that. */
export function takenBy(reply: string): MessageOutcome {
  const said = shown(reply);
  return { outcome: 'sent', fields: { reply: said, queueId: queueIdIn(said) } };
}

/** Of a mail that was not sent, for that reason. */
export function failureOf(error: unknown, config: RelayConfig): MessageOutcome {
  if (error instanceof IdentityError)
    return { outcome: 'refused', fields: { reason: error.message } };
  const isUnknown = error instanceof UnknownOutcomeError;
  const failure = describe(isUnknown ? error.cause : error);
  const wasRefused = failure.responseCode !== undefined;
  return {
    outcome: isUnknown ? 'unknown' : wasRefused ? 'refused' : 'unreachable',
    fields: { ...failure },
    advice: adviceOn(failure, config),
  };
}
