import { foldCase } from './case-folding.ts';
import { inAscii, inUnicode } from './domain-names.ts';

export const MEDIA = ['email', 'msisdn'] as const;
export type Medium = (typeof MEDIA)[number];

/** An address as somebody typed it, and as it is stored, hashed and compared. */
export interface SpeltAddress {
  readonly medium: string;
  readonly address: string;
  readonly typed: string;
}

/** The same, of a medium that is known here. */
export interface ThreePid extends SpeltAddress {
  readonly medium: Medium;
}

const isAscii = (text: string) => /^\p{ASCII}*$/u.test(text);

const DOMAIN_LABEL = /^[\p{L}\p{M}\p{N}_][\p{L}\p{M}\p{N}_-]*$/u;

function isDomain(text: string): boolean {
  if (text.length > 255) return false;
  return text.split('.').every((label) => label.length <= 63 && DOMAIN_LABEL.test(label));
}

/**
 * The domain as DNS has it (UTS 46); undefined when it is not one. Only what looks like a domain is
 * encoded: of other texts that takes a part for the whole, and of long ones too much time.
 */
function nameInDns(domain: string): string | undefined {
  if (!isDomain(domain)) return undefined;
  if (isAscii(domain)) return domain;
  const ascii = inAscii(domain);
  // Some numbers stand for several characters, such as brackets or a comma.
  return isDomain(ascii) ? ascii : undefined;
}

function withDomain(address: string, change: (domain: string) => string): string {
  const at = address.lastIndexOf('@') + 1;
  return address.slice(0, at) + change(address.slice(at));
}

/**
 * A domain in A-labels (`xn--bcher-kva`), written in its own letters. Where folding makes another domain of
 * these (`xn--fa-hia`, which is faß and would become fass), and where it is no such domain, it stays as it
 * is: its owner can prove it, and has no part in the other one.
 */
function withoutALabels(domain: string): string {
  if (!/xn--/i.test(domain) || !isAscii(domain) || !isDomain(domain)) return domain;
  const ascii = inAscii(domain);
  const letters = inUnicode(ascii);
  return nameInDns(foldCase(letters)) === ascii ? letters : domain;
}

/** The domain as DNS has it, written in its own letters; what is not a domain stays as it is. */
function normalizeDomain(domain: string): string {
  if (isAscii(domain)) return withoutALabels(domain);
  const ascii = nameInDns(domain);
  return ascii === undefined ? domain : inUnicode(ascii);
}

/** The form in which an address is stored, hashed and compared (appendix "3PID types"). */
export function foldAddress(medium: string, address: string): string {
  return medium === 'email' ? foldCase(withDomain(address, normalizeDomain)) : address;
}

/** Whether the one is the other's capital, and nothing else: ß, ſ, ligatures and the Kelvin sign are not. */
const isCapitalOf = (capital: string, small: string) =>
  capital.toLowerCase() === small && small.toUpperCase() === capital;

/**
 * Where mail to an email address goes. Folding makes another mailbox of some spellings (`straße` becomes
 * `strasse`), so what was typed serves only where it differs from the folded address by capitals, or by
 * writing the domain in A-labels, alone: whoever reads the mail has proven the address that is bound.
 */
export function mailboxOf({ address, typed }: ThreePid): string {
  const folded = [...address];
  const letters = [...withDomain(typed, withoutALabels)];
  const isCaseAlone =
    letters.length === folded.length &&
    letters.every((letter, index) => {
      const small = folded[index] ?? '';
      return letter === small || isCapitalOf(letter, small);
    });
  return isCaseAlone ? typed : address;
}

/** The mailbox of a folded address: mail to `ada+x@` arrives where mail to `ada@` does. */
export function plainMailbox(address: string): string {
  const at = address.lastIndexOf('@');
  const local = address.slice(0, at);
  const plus = local.indexOf('+');
  return `${plus > 0 ? local.slice(0, plus) : local}${address.slice(at)}`;
}

// RFC 5321 dot-string characters and, for RFC 6531, everything beyond ASCII that is a visible character.
// Dots may stand anywhere: some large providers hand out addresses with two in a row.
const LOCAL_PART = /^(?:[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]|[^\p{ASCII}\p{C}\p{Z}])+$/u;

/** One plain `local@domain`: no display name, quotes, comments, spaces or control characters. */
export function isEmailAddress(text: string): boolean {
  const at = text.lastIndexOf('@');
  if (at < 1 || !text.isWellFormed()) return false;
  if (nameInDns(text.slice(at + 1)) === undefined) return false;
  return LOCAL_PART.test(text.slice(0, at));
}

/** Bytes of UTF-8: with all that stands beside it, an address has to fit into an entry of PostgreSQL's indexes. */
export const LONGEST_ADDRESS = 2000;

const isTooLong = (address: string) => Buffer.byteLength(address, 'utf8') > LONGEST_ADDRESS;

/** A phone number in E.164 without its plus sign. */
function isMsisdn(text: string): boolean {
  return /^[1-9][0-9]{1,14}$/.test(text);
}

/**
 * The third-party identifier that a medium and an address name.
 * Undefined when the medium is unknown or the address is none of that medium.
 */
export function parseThreePid(medium: string, address: string): ThreePid | undefined {
  if (medium === 'email' && !isTooLong(address) && isEmailAddress(address)) {
    const folded = foldAddress(medium, address);
    // Folding can make it, or a label of its domain, too long.
    if (isTooLong(folded) || !isEmailAddress(folded)) return undefined;
    return { medium, address: folded, typed: address };
  }
  if (medium === 'msisdn' && isMsisdn(address)) return { medium, address, typed: address };
  return undefined;
}

/**
 * The spellings whose hashes find a binding: folded, lower-cased as browsers' clients do it, as typed, which
 * homeservers hash unchanged, and folded with the domain in A-labels. Each once, the folded one first.
 */
export function hashedSpellings(threepid: SpeltAddress): string[] {
  if (threepid.medium !== 'email') return [threepid.address];
  const { address, typed } = threepid;
  const inDns = withDomain(address, (domain) => nameInDns(domain) ?? domain);
  return [...new Set([address, typed.toLowerCase(), typed, inDns])];
}
