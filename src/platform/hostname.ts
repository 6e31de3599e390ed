import { readFileSync } from 'node:fs';
import os from 'node:os';
import { parseHostsLine } from './hosts-file.ts';

/** The names in a hosts file that stand on one line with this one. */
function namesBeside(name: string, hosts: string): readonly string[] {
  for (const line of hosts.split('\n')) {
    const { names = [] } = parseHostsLine(line) ?? {};
    if (names.includes(name)) return names;
  }
  return [];
}

export interface HostNames {
  /** As the system has it (`uname -n`). */
  readonly hostname: string;
  /** With its domain where /etc/hosts knows it. */
  readonly fullHostname: string;
}

function withDomain(name: string): string {
  if (name.includes('.')) return name;
  try {
    const names = namesBeside(name, readFileSync('/etc/hosts', 'utf8'));
    return names.find((candidate) => candidate.startsWith(`${name}.`)) ?? name;
  } catch {
    return name;
  }
}

/** The machine's names, without asking the network. */
export function hostNames(): HostNames {
  const hostname = os.hostname();
  return { hostname, fullHostname: withDomain(hostname) };
}
