import { parse } from 'tldts';

const OPTIONS = { detectIp: false, extractHostname: false, validateHostname: false };

/** Whether domains on the Internet end in that label, in whatever spelling: `com`, `РФ`, `xn--p1ai`. */
export function isTopLevelDomain(label: string): boolean {
  if (label === '' || label.length > 63) return false;
  return parse(`x.${label.normalize('NFKC').toLowerCase()}`, OPTIONS).isIcann === true;
}
