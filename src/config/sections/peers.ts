import { baseUrl, InvalidValueError, type Key } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

export interface PeerConfig {
  /** Without a slash at the end; undefined: `https://NAME:PORT`. */
  readonly baseReplicationUrl: string | undefined;
}

export const PEER_PREFIX = 'peer.';

/** The keys of a peer's section. */
export const peerKeys = (section: string) =>
  ({
    baseReplicationUrl: {
      section,
      name: 'base_replication_url',
      default: undefined,
      parse: (value: string) => {
        if (value === '' || /^https:/i.test(value)) return baseUrl(value, () => {});
        throw new InvalidValueError('an https:// URL: peers are told apart by their certificates');
      },
      about: 'Where the peer listens, instead of at its name and port: https://host:port.',
    },
  }) satisfies Record<string, Key<unknown>>;

export function readPeers(reader: ConfigReader): Map<string, PeerConfig> {
  return new Map(
    reader.sections(PEER_PREFIX).map((section) => {
      const url = reader.read(peerKeys(section).baseReplicationUrl);
      return [section.slice(PEER_PREFIX.length), { baseReplicationUrl: url || undefined }];
    }),
  );
}
