const IPV4 = /^(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?!$)|$)){4}$/;
const HOSTNAME = /^[A-Za-z0-9.-]{1,230}$/;
const HEXTETS = /^[0-9A-Fa-f]{1,4}(?::[0-9A-Fa-f]{1,4})*$/;

function isIpv6(text: string): boolean {
  const [left = '', right, ...more] = text.split('::');
  if (more.length > 0) return false;
  const count = (part: string): number => {
    if (part === '') return 0;
    const tail = part.slice(part.lastIndexOf(':') + 1);
    if (!tail.includes('.')) return HEXTETS.test(part) ? part.split(':').length : Number.NaN;
    if (!IPV4.test(tail)) return Number.NaN;
    const head = part.slice(0, -tail.length).replace(/:$/, '');
    return head === '' ? 2 : HEXTETS.test(head) ? head.split(':').length + 2 : Number.NaN;
  };
  if (right === undefined) return count(left) === 8;
  // An IPv4 part can only stand at the very end.
  return !left.includes('.') && count(left) + count(right) <= 7;
}

/** Whether both name one server: names are compared without case, and otherwise used as written. */
export const isSameServer = (a: string, b: string) => a.toLowerCase() === b.toLowerCase();

/** A Matrix server name: host name, IPv4 or [IPv6], and perhaps a port (specification appendices, "Server Name"). */
export function isServerName(text: string): boolean {
  const match = /^(\[([^\]]*)\]|[^:[\]]+)(?::\d{1,5})?$/.exec(text);
  if (match === null) return false;
  const [, host = '', ipv6] = match;
  return ipv6 === undefined ? HOSTNAME.test(host) : isIpv6(ipv6);
}

/** A server name that can be connected to: the grammar allows ports that there are not. */
export function isReachableName(text: string): boolean {
  if (!isServerName(text)) return false;
  const port = /:(\d+)$/.exec(text.slice(text.indexOf(']') + 1))?.[1];
  return port === undefined || (!port.startsWith('0') && Number(port) <= 65_535);
}
