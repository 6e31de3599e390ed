import type { Config } from '../config/config.ts';
import { greetRelay } from '../delivery/mail/mailer.ts';
import { type Finding, ok, problem, reasonOf } from './finding.ts';

/** Milliseconds for the greeting, TLS and the login. */
const PATIENCE = 10_000;

/** What of a relay's failure can be mended by which key. */
function remedyOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EAUTH') return 'mend email.smtpusername and email.smtppassword, or email.tlsmode';
  if (code === 'ETLS') return 'mend email.tlsmode, or the certificate of the relay';
  return 'start the relay, or mend email.smtphost and email.smtpport; --offline leaves this out';
}

/** Connects to the relay as for a mail, with TLS and login, and leaves again. */
export async function checkRelay({ email }: Config): Promise<Finding[]> {
  const { host, port } = email.smtp;
  const about = `[email] email.smtphost = ${host}`;
  try {
    await greetRelay(email, AbortSignal.timeout(PATIENCE));
    return [ok(about, `the relay greets at port ${port}`)];
  } catch (error) {
    const isLogin = error instanceof Error && 'code' in error && error.code === 'EAUTH';
    // A relay may repeat what it does not like.
    const reason = isLogin ? 'it refuses the user name or password' : reasonOf(error);
    return [problem(about, `no mail can go out by port ${port}: ${reason}`, remedyOf(error))];
  }
}
