import { accessSync, constants } from 'node:fs';
import { type Key, port, text, wholeNumber } from '../keys.ts';
import type { Listener } from '../listener.ts';
import type { ConfigReader } from '../reader.ts';

export interface ReplicationListenerConfig extends Listener {
  /** One PEM file with key and certificate. */
  readonly certFile: string;
  /** Empty: the system's authorities. */
  readonly caCert: string;
  /** Milliseconds after which an association that a peer refuses is given up; undefined: never. */
  readonly skipRefusedAfter: number | undefined;
}

const section = 'http';

const DAY = 24 * 60 * 60 * 1000;

/** Keys of `[http]`: the listener for peers. */
export const REPLICATION = {
  replicationCertFile: {
    section,
    name: 'replication.https.certfile',
    default: '',
    parse: text,
    about:
      'One PEM file with key and certificate, for replication in both directions. Empty: no replication.',
  },
  replicationCaCert: {
    section,
    name: 'replication.https.cacert',
    default: '',
    parse: text,
    about: 'The certificate authority of the peers. Empty: those the system trusts.',
  },
  replicationAddress: {
    section,
    name: 'replication.https.bind_address',
    default: '::',
    parse: text,
    about: 'The address on which peers are listened to.',
  },
  replicationPort: {
    section,
    name: 'replication.https.port',
    default: '4434',
    parse: port,
    about: 'The port on which peers are listened to.',
  },
  replicationSkipRefused: {
    section,
    name: 'replication.skip_refused_after_days',
    default: '0',
    parse: wholeNumber(0, 3650),
    own: true,
    about:
      'Days after which an association that a peer refuses is given up, so that what follows reaches the peer. 0: never.',
  },
} satisfies Record<string, Key<unknown>>;

const isReadable = (file: string) => {
  try {
    accessSync(file, constants.R_OK);
    return true;
  } catch {
    return false;
  }
};

/** Undefined: no replication. */
export function readReplication(reader: ConfigReader): ReplicationListenerConfig | undefined {
  const certFile = reader.read(REPLICATION.replicationCertFile);
  const caCert = reader.read(REPLICATION.replicationCaCert);
  const address = reader.read(REPLICATION.replicationAddress);
  const listenPort = reader.read(REPLICATION.replicationPort);
  const skipDays = reader.read(REPLICATION.replicationSkipRefused);
  if (caCert !== '' && !isReadable(caCert)) {
    reader.problem(section, REPLICATION.replicationCaCert.name, `${caCert} cannot be read`);
  }
  if (certFile === '') return undefined;
  if (!isReadable(certFile)) {
    reader.warn(
      `[http] ${REPLICATION.replicationCertFile.name}: ${certFile} cannot be read; replication is off`,
    );
    return undefined;
  }
  const skipRefusedAfter = skipDays === 0 ? undefined : skipDays * DAY;
  return { address, port: listenPort, certFile, caCert, skipRefusedAfter };
}
