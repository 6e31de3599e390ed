import { statSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import { lastUses, type OldWay } from '../identity/old-ways.ts';
import { workOn } from '../identity/peppers/rotation-work.ts';
import type { Clock } from '../platform/clock.ts';
import { receivedFrom } from '../replication/received-tally.ts';
import type { Storage } from '../storage/stores/index.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { inMebibytes } from './machine.ts';
import { checkPeer } from './peers.ts';

/** What the checks of a database are given. */
export interface Stored {
  readonly config: Config;
  readonly storage: Pick<Storage, 'stores' | 'transaction'>;
  readonly clock: Clock;
}

const SECOND = 1000;
const HOUR = 60 * 60 * SECOND;
const DAY = 24 * HOUR;
const time = (milliseconds: number) => new Date(milliseconds).toISOString();

/** What was written but is not in the SQLite file yet: beyond that somebody keeps it from getting there. */
const LARGE_LOG = 256 * 1024 * 1024;
/** The clocks of server and database may differ so much. */
const CLOCKS = 5 * SECOND;

/** The database takes writes, how large it is, and its clock. Rejects when it cannot be used. */
export async function checkWrites({ config, storage, clock }: Stored): Promise<Finding[]> {
  const about = 'database';
  await storage.transaction(async ({ state }) => {
    await state.set('doctor', 'was here');
    await state.delete('doctor');
  });
  const before = clock.now();
  const { bytes, time: theirs } = await storage.stores.overview.vitals();
  const now = (before + clock.now()) / 2;
  const findings = [
    ok(about, `takes writes and has what this version needs; ${inMebibytes(bytes)}`),
  ];
  if (config.db.engine === 'sqlite') {
    const log = statSync(`${config.db.file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    if (log > LARGE_LOG) {
      const finding = `${config.db.file}-wal has grown to ${inMebibytes(log)}`;
      const remedy = 'see which program reads the file for long (a backup?), and end that';
      findings.push(warning(about, finding, remedy));
    }
  }
  if (theirs !== undefined) {
    const apart = Math.round(Math.abs(theirs - now));
    findings.push(
      apart > CLOCKS
        ? problem('clock', `the database's differs by ${apart} ms`, 'let NTP set both')
        : ok('clock', `is the database's, within ${CLOCKS} ms`),
    );
  }
  return findings;
}

/** What homeservers are owed for too long. */
export async function checkOwed({ storage, clock }: Stored): Promise<Finding[]> {
  const about = 'outbox';
  const [oldest] = await storage.stores.overview.owed(undefined, { after: 0, limit: 1 });
  if (oldest === undefined) return [ok(about, 'no homeserver is owed anything')];
  const age = clock.now() - oldest.createdAt;
  const finding = `the oldest notice, to ${oldest.homeserver}, is of ${time(oldest.createdAt)}`;
  if (age < DAY) return [ok(about, finding)];
  return [
    warning(
      about,
      `${finding}; it was tried ${oldest.attempts} times`,
      'outbox list shows what is owed to whom; outbox retry tries now, outbox drop gives up',
    ),
  ];
}

/** Every peer that is to take part. */
export async function checkPeers({ config, storage }: Stored): Promise<Finding[]> {
  const { peers, state } = storage.stores;
  const findings: Finding[] = [];
  for (const peer of await peers.list()) {
    const refused = await peers.refused(peer.name);
    const received = await receivedFrom(state, peer.name);
    findings.push(...checkPeer({ peer, refused, received }, config));
  }
  return findings;
}

/** The pepper of lookups, and how far a rotation is. */
export async function checkPepper({ storage, clock }: Stored): Promise<Finding[]> {
  const about = 'pepper';
  const { current, next, former } = await storage.stores.peppers.read();
  if (next === undefined) {
    const works = former.filter(({ until }) => until > clock.now()).length;
    const since =
      current.since === undefined ? 'never rotated' : `in force since ${time(current.since)}`;
    return [ok(about, `${since}; ${works} former ones work still`)];
  }
  const work = await workOn(storage.stores.state, next.number);
  const finding = `a rotation is at ${work?.percent ?? 0} %, begun ${time(next.begun)}`;
  if (clock.now() - next.begun < HOUR || (work?.until ?? 0) > clock.now()) {
    return [ok(about, finding)];
  }
  const remedy = 'start the server, or run pepper rotate: each goes on with it';
  return [warning(about, `${finding}, and nobody works on it`, remedy)];
}

/** Events of messages that are looked at, and how many mails may come back where nothing is wrong. */
const RECENT = 5000;
const USUAL = { mails: 5, share: 0.05 };

/** How many mails of the last day did not go out, or came back. */
export async function checkMails({ storage, clock }: Stored): Promise<Finding[]> {
  const about = 'mails';
  const since = clock.now() - DAY;
  const recent = await storage.stores.messageEvents.recent('email', since, RECENT);
  const [sent = 0, left = 0, bounced = 0] = ['sent', 'not-sent', 'bounced'].map((event) =>
    recent.get(event),
  );
  const finding = `of the last day's ${sent + left} (the newest) ${left} could not be sent, and ${bounced} came back`;
  const isUsual = (some: number, all: number) => some <= Math.max(USUAL.mails, USUAL.share * all);
  if (!isUsual(left, sent + left)) {
    const remedy = 'the log says why, with the key to change; trace ADDRESS tells of one';
    return [warning(about, finding, remedy)];
  }
  if (isUsual(bounced, sent)) return [ok(about, finding)];
  const remedy =
    'trace ADDRESS says why of one; many at once are a blocklist that has this server, a missing SPF or DKIM, or somebody who enters addresses that there are not';
  return [warning(about, finding, remedy)];
}

/** Days that nobody has needed it for, after which it can go. */
const UNNEEDED = 14;

/** What is on for old clients, and whether they still need it. */
export async function checkOldWays({ config, storage, clock }: Stored): Promise<Finding[]> {
  const { since, ...last } = await lastUses(storage.stores);
  const all: readonly { way: OldWay; isOn: boolean; key: string; what: string }[] = [
    {
      way: 'v1',
      isOn: config.general.enableV1Access,
      key: '[general] enable_v1_access',
      what: 'version 1 of the API',
    },
    {
      way: 'query_token',
      isOn: config.http.queryAccessTokens,
      key: '[http] access_token.in_query',
      what: 'an access token in the query string',
    },
  ];
  return all
    .filter(({ isOn }) => isOn)
    .map(({ way, key, what }) => {
      const used = last[way];
      const quiet = Math.floor((clock.now() - (used ?? since ?? clock.now())) / DAY);
      if (quiet >= UNNEEDED) {
        return warning(key, `nobody has needed ${what} for ${quiet} days`, `set it to false`);
      }
      if (used !== undefined) return ok(key, `${what} was needed last on ${time(used)}`);
      return ok(key, `${what} was not needed in the ${quiet} days since it is counted`);
    });
}
