import { isEmailAddress } from '../model/addresses.ts';
import { InvalidValueError, type Warn } from './keys.ts';
import type { RelayConfig } from './sections/relay.ts';

const TLS_MODES = new Map([
  ['0', 'none'],
  ['STARTTLS', 'starttls'],
  ['TLS', 'tls'],
  ['SSL', 'tls'],
] as const);

/** How the relay is talked to. What Sydent does not know it takes for no protection, and so it stays. */
export function tlsMode(value: string, warn: Warn): RelayConfig['tlsMode'] {
  const upper = value.toUpperCase();
  const mode = [...TLS_MODES].find(([name]) => name === upper)?.[1];
  if (mode === undefined) {
    warn('an unprotected connection to the relay; write 0, STARTTLS, TLS or SSL');
  }
  return mode ?? 'none';
}

/** What becomes a header. */
export function oneLine(value: string): string {
  if (!/\p{Cc}/u.test(value)) return value;
  throw new InvalidValueError('on one line');
}

const WITH_NAME = [
  /^[^<>]*<([^<>]+)>$/,
  /^"(?:[^"\\]|\\.)*"[^<>"]*<([^<>]+)>$/,
  // Of the days before angle brackets.
  /^(\S+) \([^()]*\)$/,
];

/** The address in `address`, `Name <address>` or `address (Name)`; undefined when it is none of them. */
export function addressIn(from: string): string | undefined {
  const found = WITH_NAME.map((form) => form.exec(from)?.[1]).find((part) => part !== undefined);
  const address = found ?? from;
  return isEmailAddress(address) ? address : undefined;
}
