import { createTransport } from 'nodemailer';
import SMTPConnection from 'nodemailer/lib/smtp-connection';
import type { Logger } from 'pino';
import type { EmailConfig } from '../../config/config.ts';
import { IdentityError } from '../../identity/errors.ts';
import { asciiDomain } from './message.ts';

/** Hands messages to the relay. */
export interface Mailer {
  /**
   * Sends a whole message to one address.
   * @throws IdentityError `email-not-sent`; `email-invalid` for an address this relay cannot take.
   */
  send(to: string, message: Buffer): Promise<void>;
  close(): Promise<void>;
}

export interface MailerDependencies {
  readonly logger: Logger;
  /** Called for each message that is tried. */
  readonly onAttempt: () => void;
  /** Milliseconds, where they are not to be the usual ones. */
  readonly timeouts?: Partial<typeof TIMEOUTS>;
  /** PEM; in place of the authorities that the system trusts. */
  readonly trustedCa?: string;
}

const TIMEOUTS = {
  connect: 10_000,
  greeting: 10_000,
  /** Of silence. */
  socket: 30_000,
  /** From the first try to the relay's last word. */
  total: 60_000,
};

const CONNECTIONS = 5;
/** Behind so many the wait would be longer than anyone’s patience. */
const MAX_WAITING = 500;

function connectionOptions(
  config: EmailConfig,
  timeouts: typeof TIMEOUTS,
  trustedCa: string | undefined,
) {
  const { host, port, tlsMode } = config.smtp;
  return {
    host,
    port,
    name: config.hostname,
    secure: tlsMode === 'tls',
    ignoreTLS: tlsMode === 'none',
    requireTLS: tlsMode === 'starttls',
    tls: { minVersion: 'TLSv1.2' as const, ...(trustedCa ? { ca: trustedCa } : {}) },
    connectionTimeout: timeouts.connect,
    greetingTimeout: timeouts.greeting,
    socketTimeout: timeouts.socket,
  };
}

/**
 * The address as it stands in an envelope. Some providers hand out user names with dots where
 * RFC 5321 has none; those it wants in quotes.
 */
function mailbox(typed: string): string {
  const address = asciiDomain(typed);
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  return /^\.|\.\.|\.$/.test(local) ? `"${local}"${address.slice(at)}` : address;
}

/** What of an SMTP failure can be logged: the relay's answer, not what was sent to it. */
function describe(error: unknown): object {
  if (!(error instanceof Error)) return { reason: String(error) };
  const { code, command, responseCode, response } = error as Error & Record<string, unknown>;
  return { code, command, responseCode, response, reason: error.message };
}

export function createMailer(config: EmailConfig, deps: MailerDependencies): Mailer {
  const { logger, onAttempt } = deps;
  const timeouts = { ...TIMEOUTS, ...deps.timeouts };
  const { username, password } = config.smtp;
  const credentials = username === '' ? undefined : { user: username, pass: password };
  const options = connectionOptions(config, timeouts, deps.trustedCa);
  const transport = createTransport({
    ...options,
    pool: true,
    maxConnections: CONNECTIONS,
    // A relay that drops connections is tried again once, not for long: somebody is waiting.
    maxRequeues: 1,
    ...(credentials ? { auth: credentials } : {}),
    logger: false,
  });
  // The envelope as it is: left to itself, nodemailer parses it once more and rewrites it.
  transport.use('stream', (mail, done) => {
    const { to } = mail.data.envelope as { to: string[] };
    mail.message.getEnvelope = () => ({ from: config.envelopeFrom, to });
    done();
  });
  let underWay = 0;

  async function sendPooled(to: string, message: Buffer): Promise<void> {
    await transport.sendMail({
      envelope: { from: config.envelopeFrom, to: [to] },
      raw: message,
      signal: AbortSignal.timeout(timeouts.total),
    });
  }

  /** On a connection of its own, to see first whether the relay can take such an address. */
  async function sendInternational(to: string, message: Buffer): Promise<void> {
    const connection = new SMTPConnection({ ...options, logger: false });
    const limit = setTimeout(() => connection.close(), timeouts.total);
    try {
      await new Promise<void>((resolve, reject) => {
        const fail = (error: unknown) => reject(error);
        connection.once('error', fail);
        connection.once('end', () => fail(new Error('The relay closed the connection')));
        connection.connect((error) => {
          if (error) return fail(error);
          if (!/[ -]SMTPUTF8\b/i.test(String(connection.lastServerResponse))) {
            return fail(
              new IdentityError(
                'email-invalid',
                'Mail cannot be sent to addresses with such characters from here',
              ),
            );
          }
          const deliver = () =>
            connection.send({ from: config.envelopeFrom, to: [to] }, message, (failure) =>
              failure ? fail(failure) : resolve(),
            );
          if (credentials === undefined) return deliver();
          connection.login({ credentials }, (failure) => (failure ? fail(failure) : deliver()));
        });
      });
      connection.quit();
    } catch (error) {
      connection.close();
      throw error;
    } finally {
      clearTimeout(limit);
    }
  }

  return {
    async send(typed, message) {
      const to = mailbox(typed);
      onAttempt();
      if (underWay >= MAX_WAITING) {
        logger.error({ waiting: underWay }, 'Mail not sent: too many are waiting for the relay');
        throw new IdentityError('email-not-sent', 'The mail could not be sent; try again later');
      }
      underWay++;
      try {
        const international = /[^\x20-\x7e]/.test(to);
        await (international ? sendInternational(to, message) : sendPooled(to, message));
      } catch (error) {
        if (error instanceof IdentityError) throw error;
        logger.error(describe(error), 'Mail not sent');
        throw new IdentityError('email-not-sent', 'The mail could not be sent', { cause: error });
      } finally {
        underWay--;
      }
    },
    close: async () => transport.close(),
  };
}
