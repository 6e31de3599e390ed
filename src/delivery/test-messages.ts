import type { Config } from '../config/config.ts';
import type {
  DialogueLine,
  TestedMessage,
  TestMessages,
} from '../identity/messages/test-messages.ts';
import { parseThreePid } from '../model/addresses.ts';
import { IdentityError } from '../model/errors.ts';
import type { Clock } from '../platform/clock.ts';
import type { Metrics } from '../platform/metrics.ts';
import type { OutboundClient } from '../platform/outbound/outbound.ts';
import type { Random } from '../platform/random.ts';
import { createMailer } from './mail/mailer.ts';
import { newMessageId, renderMessage } from './mail/message.ts';
import { inSnakeCase, type MessageOutcome, type Report } from './reporting.ts';
import { createSmsSender } from './sms/sms.ts';

export interface TestMessagesDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly metrics: Pick<Metrics, 'emailSent' | 'smsSent'>;
  readonly report: Report;
  /** Of the provider; called for each message. */
  readonly outbound: () => OutboundClient;
}

/** Lines of a dialogue that are shown: a relay may say more. */
const MOST_LINES = 200;
const MAX_LINE = 300;

const TEMPLATE = `From: %from
To: %to
Subject: Test of the identity server %server
Date: %date
Message-ID: %messageid
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8

Somebody who operates the identity server %server has sent this to see whether its mails arrive. Nothing is to be done.
`;

/** Every form in which what is secret may be said. */
function secretsOf({ email, sms }: Config): string[] {
  const { username, password } = email.smtp;
  const { provider } = sms;
  const pairs: (readonly [string, string])[] = [[username, password]];
  if (provider.name === 'openmarket') pairs.push([provider.username, provider.password]);
  if (provider.name === 'twilio') pairs.push([provider.accountSid, provider.authToken]);
  if (provider.name === 'webhook') pairs.push(['', provider.secret]);
  const base64 = (text: string) => Buffer.from(text).toString('base64');
  return pairs
    .filter(([, secret]) => secret !== '')
    .flatMap(([user, secret]) => [
      base64(`\0${user}\0${secret}`),
      base64(`${user}:${secret}`),
      base64(secret),
      secret,
    ]);
}

/** Messages by connections of their own, so that what is said is all of one dialogue. */
export function createTestMessages(config: Config, deps: TestMessagesDependencies): TestMessages {
  const { clock, random, metrics } = deps;
  const { email, sms, general } = config;
  const secrets = secretsOf(config);
  const hidden = (text: string) =>
    secrets
      .reduce((shown, secret) => shown.replaceAll(secret, '(hidden)'), text)
      .slice(0, MAX_LINE);

  /** Has one sent, and says what became of it. */
  async function test(
    send: (tell: {
      readonly line: (from: DialogueLine['from'], line: string) => void;
      readonly outcome: (outcome: MessageOutcome) => void;
    }) => Promise<void>,
  ): Promise<TestedMessage> {
    const dialogue: DialogueLine[] = [];
    let told: MessageOutcome | undefined;
    try {
      await send({
        line(from, line) {
          if (dialogue.length < MOST_LINES) dialogue.push({ from, line: hidden(line) });
        },
        outcome(outcome) {
          told = outcome;
        },
      });
    } catch (error) {
      if (!(error instanceof IdentityError) || told === undefined) throw error;
    }
    if (told === undefined) throw new Error('Nothing was told of a test message');
    const { outcome, fields, advice } = told;
    const details = Object.entries(fields).flatMap(([name, value]) =>
      value === undefined
        ? []
        : [[inSnakeCase(name), typeof value === 'string' ? hidden(value) : value]],
    );
    return {
      sent: outcome === 'sent',
      outcome,
      details: Object.fromEntries(details),
      dialogue,
      ...(advice === undefined ? {} : { advice: advice.text }),
    };
  }

  return {
    mail: (to) =>
      test(async (tell) => {
        const messageId = newMessageId(email.hostname, random);
        const address = parseThreePid('email', to)?.address ?? to;
        const options = { from: email.from, to, messageId, values: { server: general.serverName } };
        const mailer = createMailer(email, { onAttempt: metrics.emailSent, onLine: tell.line });
        const render = (values: Readonly<Record<string, string>>) =>
          TEMPLATE.replaceAll(/%([a-z]+)/g, (_mark, name: string) => values[name] ?? '');
        try {
          await mailer.send(
            to,
            async () => renderMessage(render, options, { clock, random }),
            ({ fields, ...more }) => {
              const outcome = { ...more, fields: { messageId, ...fields } };
              tell.outcome(outcome);
              deps.report({ medium: 'email', kind: 'test', address }, outcome);
            },
            messageId,
          );
        } finally {
          await mailer.close();
        }
      }),
    sms: (to) =>
      test(async (tell) => {
        const outbound = deps.outbound();
        const watched: OutboundClient = {
          async request(request) {
            // Neither query nor body: a webhook's URL may hold a key.
            tell.line('server', `${request.method} ${request.url.replace(/\?.*$/s, '')}`);
            const answer = await outbound.request(request);
            tell.line('provider', `HTTP ${answer.status}`);
            const body = answer.body
              .toString()
              .slice(0, 4 * MAX_LINE)
              .trim();
            if (body !== '') tell.line('provider', body);
            return answer;
          },
          close: () => outbound.close(),
        };
        const report: Report = (message, outcome) => {
          tell.outcome(outcome);
          deps.report(message, outcome);
        };
        const sender = createSmsSender(sms, { metrics, outbound: watched, report });
        const body = `Test of the identity server ${general.serverName}. Nothing is to be done.`;
        try {
          await sender.send(to, body, 'test');
        } finally {
          await outbound.close();
        }
      }),
  };
}
