import { afterEach } from 'vitest';
import { parseConfig } from '../../src/config/load.ts';
import type { EmailConfig } from '../../src/config/sections/email.ts';
import { createMailer, type MailerDependencies } from '../../src/delivery/mail/mailer.ts';
import { renderConfig, SIGNING_KEY } from './server.ts';
import { startScriptedRelay, startSmtpServer, type TestRelay } from './smtp.ts';

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const item of open.splice(0).reverse()) await item.close();
});

/** Closed after the test, as all that these functions open. */
export async function relay(
  options: Parameters<typeof startSmtpServer>[0] = {},
): Promise<TestRelay> {
  const server = await startSmtpServer(options);
  open.push(server);
  return server;
}

/** @returns its port. */
export async function scriptedRelay(
  answer: Parameters<typeof startScriptedRelay>[0],
): Promise<number> {
  const server = await startScriptedRelay(answer);
  open.push(server);
  return server.port;
}

function emailConfig(lines: string): EmailConfig {
  const from = lines.includes('email.from') ? '' : 'email.from = Cognomen <noreply@id.test>\n';
  const { config } = parseConfig(
    'test.conf',
    renderConfig({
      email: `${from}email.hostname = id.test\nemail.smtphost = localhost\n${lines}`,
      crypto: `ed25519.signingkey = ${SIGNING_KEY}`,
    }),
    { env: {}, hostname: 'id.test' },
  );
  return config.email;
}

/** What the mailers told of their mails, and how often they were told to send. */
export const seen = { logs: [] as string[], attempts: 0 };

/** A mailer, of ready messages too, for the relay at that port, with further lines of configuration. */
export function mailer(
  port: number,
  lines = '',
  more: Partial<Pick<MailerDependencies, 'timeouts' | 'trustedCa'>> = {},
): {
  send(to: string, message: Buffer | (() => Promise<Buffer>)): Promise<void>;
  close(): Promise<void>;
} {
  const created = createMailer(emailConfig(`email.smtpport = ${port}\n${lines}`), {
    onAttempt: () => seen.attempts++,
    ...more,
  });
  open.push(created);
  return {
    ...created,
    send: (to, message) =>
      created.send(
        to,
        typeof message === 'function' ? message : async () => message,
        (outcome) => void seen.logs.push(JSON.stringify(outcome)),
      ),
  };
}
