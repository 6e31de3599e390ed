/** One line of a hosts file (hosts(5)): an address and the names it has; undefined for a line without. */
export function parseHostsLine(
  line: string,
): { readonly address: string; readonly names: readonly string[] } | undefined {
  const [address = '', ...names] = (line.split('#', 1)[0] ?? '').trim().split(/\s+/);
  return address === '' ? undefined : { address, names };
}
