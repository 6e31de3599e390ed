import { hostname, userInfo } from 'node:os';
import type { Operator } from '../identity/operators/operator.ts';

function systemName(): string {
  try {
    return userInfo().username;
  } catch {
    // In a container there may be no name for its number.
    return String(process.getuid?.() ?? 'unknown');
  }
}

/** Who runs a command, as the trail names them; behind sudo also who called it, as it says. */
export function commandUser(): Operator {
  const caller = process.env['SUDO_USER'];
  const name = systemName();
  return {
    who: `user ${caller === undefined || caller === name ? name : `${name} (sudo by ${caller})`}`,
    role: 'operator',
    via: 'command',
    origin: hostname(),
  };
}
