import type { Config } from '../config/config.ts';
import { ofPeer, peerKey, pushUrl } from '../replication/peers.ts';
import type { ReceivedTally } from '../replication/received-tally.ts';
import type { Peer, RefusedAssociation } from '../storage/stores/index.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What is known of the traffic with a peer. */
export interface PeerTraffic {
  readonly peer: Peer;
  readonly refused: readonly RefusedAssociation[];
  readonly received: ReceivedTally;
}

/** Where the peer is pushed to. */
export const urlOfPeer = (peer: Peer, { peers }: Config): string =>
  pushUrl(peer, ofPeer(peers, peer.name)?.baseReplicationUrl);

/** What keeps an active peer from working, in either direction; nothing where it is not active. */
export function checkPeer({ peer, refused, received }: PeerTraffic, config: Config): Finding[] {
  if (!peer.active) return [];
  const about = `peer ${peer.name}`;
  const findings: Finding[] = [];
  const add = (finding: string, remedy: string) => findings.push(problem(about, finding, remedy));
  if (config.http.replication === undefined) {
    add(
      'this server has no certificate: nothing goes to the peer, and nothing comes from it',
      'set [http] replication.https.certfile, or peers disable it',
    );
  }
  const give = `peers add ${peer.name} --key KEY`;
  if (peer.keys.length === 0) {
    add('it has no key, so it takes no part', give);
  } else if (peer.keys.every((key) => peerKey(key) === undefined)) {
    add('none of its keys is an ed25519 key', give);
  }
  if (!/^https:/i.test(urlOfPeer(peer, config))) {
    add('its URL does not begin with https://', `${give} --url https://HOST:PORT`);
  }
  const { signature, bound, deleted } = received;
  const lastTaken = Math.max(bound?.last ?? 0, deleted?.last ?? 0);
  if (signature !== undefined && signature.last > lastTaken) {
    add(
      'what it sends is refused: none of its keys on file has signed it',
      `ask for its present key: ${give}`,
    );
  }
  const { lastFailure, lastSuccessAt = 0 } = peer;
  if (lastFailure !== undefined && lastFailure.at > lastSuccessAt) {
    const isRefused = refused.length > 0;
    add(
      `it did not take the last push: ${lastFailure.reason}`,
      isRefused
        ? 'see that it has the key on file that this server signs by, or a former one that still can'
        : 'see that it runs, and that its name, port or URL and both certificates are right',
    );
  } else if (refused.length > 0) {
    findings.push(
      warning(
        about,
        `it refuses ${refused.length} associations`,
        'peers status shows which; [http] replication.skip_refused_after_days gives them up',
      ),
    );
  }
  return findings.length > 0 ? findings : [ok(about, 'works, as far as is known')];
}
