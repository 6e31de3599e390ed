import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** A process of this machine. */
export interface OtherProcess {
  readonly pid: number;
  /** Its command line; empty where it cannot be seen. */
  readonly command: string;
}

/** What is in the folder; nothing where it cannot be read. */
export function listing(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

export const processOf = (pid: number): OtherProcess => ({
  pid,
  command: textOf(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim(),
});

/** The ids of all processes that this one may see (Linux only). */
export const processIds = (): number[] =>
  listing('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);

export const describeProcesses = (processes: readonly OtherProcess[]): string =>
  processes.map(({ pid, command }) => `process ${pid}${command && ` (${command})`}`).join(', ');

/** In /proc/net/tcp: a socket that listens. */
const LISTENS = '0A';

/** The inodes of the sockets that listen at the port. */
function socketsAt(port: number): Set<string> {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = ['tcp', 'tcp6'].flatMap((name) => textOf(`/proc/net/${name}`).split('\n').slice(1));
  const columns = rows.map((row) => row.trim().split(/\s+/));
  const there = columns.filter(([, local, , state]) => local?.endsWith(end) && state === LISTENS);
  return new Set(there.map((row) => `socket:[${row[9]}]`));
}

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

/** Who listens at the TCP port, as far as this process may see (Linux only). */
export function listenersAt(port: number): OtherProcess[] {
  const sockets = socketsAt(port);
  if (sockets.size === 0) return [];
  return processIds()
    .filter((pid) =>
      listing(`/proc/${pid}/fd`).some((fd) => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`))),
    )
    .map(processOf);
}
