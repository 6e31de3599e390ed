import { domainToASCII, domainToUnicode } from 'node:url';

/** A domain as DNS has it (UTS 46), in its own letters; undefined when DNS cannot have it. */
export function normalizedDomain(domain: string): string | undefined {
  return domainToUnicode(domainToASCII(domain)) || undefined;
}
