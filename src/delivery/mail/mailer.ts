import type { EmailConfig } from '../../config/sections/email.ts';
import { IdentityError } from '../../model/errors.ts';
import { createSemaphore } from '../../platform/semaphore.ts';
import { inSpan } from '../../platform/tracing/scope.ts';
import type { MessageOutcome } from '../reporting.ts';
import { asciiDomain } from './message.ts';
import { createRelay, type Envelope, type Extensions, type RelayOptions } from './relay.ts';
import { failureOf, takenBy } from './relay-outcome.ts';
import { inSevenBits } from './transfer-encoding.ts';

/** Hands messages to the relay. */
export interface Mailer {
  /**
   * Sends a whole message to one address.
   * @param render makes the message once its turn has come: no more are made at once than are sent;
   * what it throws is thrown here
   * @param report told what became of it, once
   * @param messageId with its angle brackets
   * @throws IdentityError `email-not-sent`; `email-invalid` for an address this relay cannot take.
   */
  send(
    to: string,
    render: () => Promise<Buffer>,
    report: (outcome: MessageOutcome) => void,
    messageId?: string,
  ): Promise<void>;
  /**
   * Goes as far as the relay, in turn and as for a message, and hands over none.
   * @param report told what kept from that, if anything did
   * @throws IdentityError `email-not-sent`
   */
  withhold(report: (outcome: MessageOutcome) => void): Promise<void>;
  close(): Promise<void>;
}

export interface MailerDependencies {
  /** Called for each message that is tried. */
  readonly onAttempt: () => void;
  /** Milliseconds, where they are not to be the usual ones. */
  readonly timeouts?: Partial<typeof TIMEOUTS>;
  /** PEM; in place of the authorities that the system trusts. */
  readonly trustedCa?: string;
  readonly onLine?: RelayOptions['onLine'];
}

const TIMEOUTS = {
  connect: 10_000,
  greeting: 10_000,
  /** Of silence. */
  socket: 30_000,
  /** From the first try to the relay's last word. */
  total: 60_000,
};

/** Behind so many the wait would be longer than anyone’s patience. */
const MAX_WAITING = 495;

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

const unreachable = () =>
  new IdentityError(
    'email-invalid',
    'Mail cannot be sent to addresses with such characters from here',
  );

const credentialsOf = ({ smtp: { username: user, password: pass } }: EmailConfig) =>
  user === '' ? undefined : { user, pass };

/** Connects to the relay as for a mail, with TLS and login, and leaves again. @throws what keeps from that */
export async function greetRelay(config: EmailConfig, signal: AbortSignal): Promise<void> {
  const connection = connectionOptions(config, TIMEOUTS, undefined);
  const relay = createRelay({ connection, credentials: credentialsOf(config), connections: 1 });
  await relay.greet(signal);
}

export function createMailer(config: EmailConfig, deps: MailerDependencies): Mailer {
  const { onAttempt, onLine } = deps;
  const timeouts = { ...TIMEOUTS, ...deps.timeouts };
  const { connections } = config.smtp;
  const relay = createRelay({
    connection: connectionOptions(config, timeouts, deps.trustedCa),
    credentials: credentialsOf(config),
    connections,
    onLine,
  });
  const semaphore = createSemaphore({ waiting: { each: MAX_WAITING } });
  const from = mailbox(config.envelopeFrom);
  const { host, port } = config.smtp;
  const aboutRelay = () => ({
    name: 'SMTP send',
    kind: 'client' as const,
    attributes: { 'server.address': host, 'server.port': port },
  });

  /** What the caller gets to see of a failure; who is told of outcomes sees more. */
  function notSent(error: unknown, report: (outcome: MessageOutcome) => void): IdentityError {
    report(failureOf(error, config.smtp));
    if (error instanceof IdentityError) return error;
    return new IdentityError('email-not-sent', 'The mail could not be sent', { cause: error });
  }

  async function hand(
    envelope: Envelope,
    message: Buffer,
    signal: AbortSignal,
    report: (outcome: MessageOutcome) => void,
  ): Promise<void> {
    const isInternational = /[^\x20-\x7e]/.test(envelope.to);
    const compose = ({ eightBitMime, smtpUtf8 }: Extensions) => {
      if (isInternational && !smtpUtf8) throw unreachable();
      return eightBitMime ? message : inSevenBits(message);
    };
    let reply: string;
    try {
      reply = await inSpan(aboutRelay, () => relay.send(envelope, compose, signal));
    } catch (error) {
      throw notSent(error, report);
    }
    report(takenBy(reply));
  }

  async function inTurn(
    signal: AbortSignal,
    work: () => Promise<void>,
    report: (outcome: MessageOutcome) => void,
  ): Promise<void> {
    const { turn, leave } = semaphore.enter('relay', connections, signal);
    try {
      if (await turn) return await work();
      if (signal.aborted) throw notSent(signal.reason, report);
      const { waiting } = semaphore;
      report({ outcome: 'overloaded', fields: { reason: 'too many wait for the relay', waiting } });
      throw new IdentityError('email-not-sent', 'The mail could not be sent; try again later');
    } finally {
      leave();
    }
  }

  return {
    async send(typed, render, report, messageId) {
      const reportAs = config.smtp.dsn ? messageId?.slice(1, -1) : undefined;
      const envelope = { from, to: mailbox(typed), reportAs };
      onAttempt();
      const signal = AbortSignal.timeout(timeouts.total);
      await inTurn(signal, async () => hand(envelope, await render(), signal, report), report);
    },
    async withhold(report) {
      const signal = AbortSignal.timeout(timeouts.total);
      const ask = () => relay.ask(signal).catch((error) => Promise.reject(notSent(error, report)));
      await inTurn(signal, ask, report);
    },
    close: async () => relay.close(),
  };
}
