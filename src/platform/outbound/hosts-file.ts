import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isIP } from 'node:net';
import { createInterface } from 'node:readline';
import { parseHostsLine } from '../hosts-file.ts';

/** The names that the machine itself knows. */
export interface HostsFile {
  /** The addresses of a name in lower case; undefined when the file does not have it. */
  addresses(name: string): Promise<readonly string[] | undefined>;
}

async function read(file: string): Promise<Map<string, string[]>> {
  const names = new Map<string, string[]>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { address = '', names: aliases = [] } = parseHostsLine(line) ?? {};
    if (isIP(address) === 0 || address.includes('%')) continue;
    for (const alias of aliases) {
      const name = alias.toLowerCase();
      const known = names.get(name);
      if (known === undefined) names.set(name, [address]);
      else known.push(address);
    }
  }
  return names;
}

/** `/etc/hosts`, read again whenever it has changed. One that cannot be read has no names. */
export function createHostsFile(file: string): HostsFile {
  let version = '';
  let names = Promise.resolve(new Map<string, string[]>());
  return {
    async addresses(name) {
      try {
        const { mtimeMs, size, ino } = await stat(file);
        const current = `${mtimeMs} ${size} ${ino}`;
        if (current !== version) {
          version = current;
          names = read(file);
        }
        return (await names).get(name);
      } catch {
        version = '';
        return undefined;
      }
    },
  };
}
