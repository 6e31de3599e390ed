import { createSocket } from 'node:dgram';
import { once } from 'node:events';

/** What a name has; every record lives for `ttl` seconds. */
export interface Zone {
  readonly a?: readonly string[];
  /** In their long form, eight parts. */
  readonly aaaa?: readonly string[];
  readonly srv?: readonly {
    readonly priority?: number;
    readonly weight?: number;
    readonly port: number;
    readonly target: string;
  }[];
  readonly ttl?: number;
  /** Instead of records. */
  readonly failure?: 'servfail' | 'silence';
}

export interface TestDnsServer {
  /** For `dns.servers`. */
  readonly address: string;
  /** Sets what a name has; undefined: it does not exist. */
  set(name: string, zone: Zone | undefined): void;
  /** Called after each question is answered: for records that change their mind. */
  onQuery(listener: (name: string, type: string) => void): void;
  /** Questions so far, such as `A example.test`. */
  readonly queries: readonly string[];
  close(): Promise<void>;
}

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA', 33: 'SRV' };
const NXDOMAIN = 3;
const SERVFAIL = 2;

const uint16 = (...values: number[]) =>
  Buffer.from(values.flatMap((value) => [value >> 8, value & 255]));
const encodeName = (name: string) =>
  Buffer.concat([
    ...name
      .split('.')
      .filter((label) => label !== '')
      .map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ]);

function readQuestion(message: Buffer) {
  const labels: string[] = [];
  let offset = 12;
  for (let length = message[offset]; length; length = message[offset]) {
    labels.push(message.toString('latin1', offset + 1, offset + 1 + length));
    offset += 1 + length;
  }
  const type = message.readUInt16BE(offset + 1);
  return {
    name: labels.join('.').toLowerCase(),
    type: TYPES[type] ?? String(type),
    code: type,
    raw: message.subarray(12, offset + 5),
  };
}

function recordsOf(zone: Zone, type: string): Buffer[] {
  if (type === 'A') return (zone.a ?? []).map((ip) => Buffer.from(ip.split('.').map(Number)));
  if (type === 'AAAA') {
    return (zone.aaaa ?? []).map((ip) =>
      uint16(...ip.split(':').map((part) => Number.parseInt(part, 16))),
    );
  }
  if (type !== 'SRV') return [];
  return (zone.srv ?? []).map(({ priority = 0, weight = 0, port, target }) =>
    Buffer.concat([uint16(priority, weight, port), encodeName(target)]),
  );
}

/** A real DNS server on a free UDP port. */
export async function startDnsServer(zones: Record<string, Zone> = {}): Promise<TestDnsServer> {
  const names = new Map(Object.entries(zones));
  const queries: string[] = [];
  const listeners: ((name: string, type: string) => void)[] = [];
  const socket = createSocket('udp4');
  socket.on('message', (message, from) => {
    const { name, type, code, raw } = readQuestion(message);
    queries.push(`${type} ${name}`);
    const zone = names.get(name);
    if (zone?.failure === 'silence') return;
    const records = zone && !zone.failure ? recordsOf(zone, type) : [];
    const status = zone?.failure ? SERVFAIL : zone ? 0 : NXDOMAIN;
    const answers = records.map((data) =>
      Buffer.concat([uint16(0xc00c, code, 1, 0, zone?.ttl ?? 60, data.length), data]),
    );
    const header = uint16(message.readUInt16BE(0), 0x8580 | status, 1, answers.length, 0, 0);
    socket.send(Buffer.concat([header, raw, ...answers]), from.port, from.address);
    for (const listener of listeners) listener(name, type);
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return {
    address: `127.0.0.1:${socket.address().port}`,
    queries,
    set(name, zone) {
      if (zone === undefined) names.delete(name);
      else names.set(name, zone);
    },
    onQuery: (listener) => void listeners.push(listener),
    close: () => new Promise((resolve) => socket.close(() => resolve())),
  };
}
