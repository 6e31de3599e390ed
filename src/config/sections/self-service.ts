import { boolean, type Key } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';
import { LIMITS_IN_GENERAL } from './limits.ts';

/** The key of `[general]` that has the owners' page served. */
export const SELF_SERVICE = {
  enabled: {
    section: 'general',
    name: 'self_service.enabled',
    default: 'false',
    parse: boolean,
    own: true,
    about:
      'Whether owners of addresses have a page of their own, at /_matrix/identity/cognomen/mine: they prove an address there by a code, see what it leads to, stop being found, see and decline invitations, take with them what is kept, and erase it. It needs limits.enforce = true, as anybody can have codes sent there.',
  },
} satisfies Record<string, Key<unknown>>;

/** Whether the owners' page is served: never where nothing limits the messages that it sends. */
export function readSelfService(reader: ConfigReader): boolean {
  const isWanted = reader.read(SELF_SERVICE.enabled);
  const isLimited = reader.read(LIMITS_IN_GENERAL.enforce) === 'true';
  if (isWanted && !isLimited) {
    reader.warn(
      '[general] self_service.enabled: the owners’ page is not served, because limits.enforce is not true, and anybody could have any number of messages sent by it',
    );
  }
  return isWanted && isLimited;
}
