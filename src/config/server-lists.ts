import { isServerName } from '../model/server-name.ts';
import { InvalidValueError, list, type Warn } from './keys.ts';

/**
 * Homeservers whose users may register, lower case. Entries that are not server names stay: a list without
 * any would let everybody in.
 */
export function homeservers(value: string, warn: Warn): string[] {
  const entries = list(value);
  if (value !== '' && entries.length === 0) throw new InvalidValueError('names between commas');
  for (const entry of entries.filter((name) => !isServerName(name))) {
    warn(`that ${JSON.stringify(entry)} lets nobody in: it is not a server name`);
  }
  return entries.map((name) => name.toLowerCase());
}

/** Homeservers, lower case. */
export function trustedHomeservers(value: string): string[] {
  return list(value).map((entry) => {
    if (isServerName(entry)) return entry.toLowerCase();
    throw new InvalidValueError('names of homeservers between commas');
  });
}

/** Hosts, each with or without a port and a path. */
export function aliases(value: string): string[] {
  return list(value).map((entry) => alias(entry));
}

function alias(value: string): string {
  const [name = '', ...path] = value.split('/');
  if (isServerName(name) && !/[\s?#]/.test(path.join('/'))) return value;
  throw new InvalidValueError('hosts between commas, each with or without a port and a path');
}
