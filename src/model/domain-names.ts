import { domainToASCII, domainToUnicode } from 'node:url';

/** A domain as DNS is asked for it (UTS 46); empty when there can be none. Its time grows faster than its length. */
export const inAscii = (domain: string): string => domainToASCII(domain);

/** The same domain in its own letters. */
export const inUnicode = (domain: string): string => domainToUnicode(domain);
