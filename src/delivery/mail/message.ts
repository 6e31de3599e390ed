import { domainToASCII } from 'node:url';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import type { TemplateValues } from '../templates/template.ts';
import { encodeHeaderText } from './header-text.ts';
import { labelled } from './transfer-encoding.ts';

export interface MessageOptions {
  /** The From header, ready but for encoding. */
  readonly from: string;
  /** The recipient as typed. */
  readonly to: string;
  /** With its angle brackets. */
  readonly messageId: string;
  readonly values: TemplateValues;
  /** Whole headers beside those of the template; where that has one of their names, none of them. */
  readonly headers?: readonly string[];
}

/** A name as it can stand before an address: as it is, in quotes, or encoded. */
function displayName(typed: string): string {
  const name = /^"(.*)"$/.exec(typed)?.[1]?.replace(/\\(.)/g, '$1') ?? typed;
  if (/[^\x20-\x7e]/.test(name)) return encodeHeaderText(name);
  return /^[\w !#$%&'*+/=?^`{|}~-]*$/.test(name) ? name : `"${name.replace(/["\\]/g, '\\$&')}"`;
}

function fromHeader(from: string): string {
  const begin = from.lastIndexOf('<');
  if (begin < 0 || from.indexOf('>', begin) !== from.length - 1) return asciiDomain(from);
  const [name, address] = [from.slice(0, begin).trimEnd(), from.slice(begin + 1, -1)];
  return `${displayName(name)} <${asciiDomain(address)}>`.trim();
}

/**
 * The address with its domain in ASCII, where that is all it takes to be deliverable everywhere.
 * With more than ASCII before the @ the relay has to know SMTPUTF8 anyway.
 */
export function asciiDomain(address: string): string {
  const at = address.lastIndexOf('@');
  const [local, domain] = [address.slice(0, at), address.slice(at + 1)];
  if (/[^\x20-\x7e]/.test(local) || /^[\x21-\x7e]*$/.test(domain)) return address;
  return `${local}@${domainToASCII(domain) || domain}`;
}

/** RFC 5322 date and time, in UTC. */
const messageDate = (time: number) => new Date(time).toUTCString().replace('GMT', '+0000');

/** A value cannot end a header or a line: whatever the template does with it, it stays where it stands. */
const withoutControls = (value: string) =>
  value.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').toWellFormed();

/** A new id for a message of the server of that name. */
export const newMessageId = (hostname: string, random: Random) =>
  `<${random.alphanumeric(32)}@${hostname}>`;

const nameOf = (header: string) => header.slice(0, header.indexOf(':')).toLowerCase();

function withHeaders(message: string, headers: readonly string[]): string {
  const names = new Set(headers.map(nameOf));
  const end = message.indexOf('\r\n\r\n');
  const own = message.slice(0, Math.max(0, end)).split('\r\n');
  if (own.some((line) => names.has(nameOf(line)))) return message;
  return headers.map((header) => `${header}\r\n`).join('') + message;
}

/** The whole message, from its first header on, lines ending in CRLF; what is in 8 bits says so. */
export function renderMessage(
  render: (values: TemplateValues) => string,
  options: MessageOptions,
  { clock, random }: { clock: Clock; random: Random },
): Buffer {
  const values = {
    ...options.values,
    messageid: options.messageId,
    date: messageDate(clock.now()),
    to: asciiDomain(options.to),
    from: fromHeader(options.from),
    multipart_boundary: `=_${random.alphanumeric(32)}`,
  };
  const clean = Object.entries(values).map(([name, value]) => [name, withoutControls(value)]);
  const text = render(Object.fromEntries(clean) as TemplateValues).replace(/\r\n|\r|\n/g, '\r\n');
  return labelled(Buffer.from(withHeaders(text, options.headers ?? []), 'utf8'));
}
