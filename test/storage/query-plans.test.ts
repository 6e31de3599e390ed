import path from 'node:path';
import Database from 'better-sqlite3';
import pino from 'pino';
import { expect, test } from 'vitest';
import { createNoticeDelivery } from '../../src/homeservers/onbind/delivery.ts';
import { createAccounts } from '../../src/identity/accounts/accounts.ts';
import { createTerms } from '../../src/identity/accounts/terms.ts';
import { createAssociations } from '../../src/identity/associations/associations.ts';
import { createLookup } from '../../src/identity/associations/lookup.ts';
import { createInvitationQuota } from '../../src/identity/invitations/invitation-quota.ts';
import { deleteOldInvitations } from '../../src/identity/invitations/invitation-sweep.ts';
import { createOnbindNotices } from '../../src/identity/invitations/onbind-notices.ts';
import { createMessageTrail } from '../../src/identity/messages/message-trail.ts';
import {
  giveUpOldNotices,
  type OwnerNoticeMail,
  startOwnerMailing,
} from '../../src/identity/owner-notices/mailing.ts';
import { createOwnerNotices } from '../../src/identity/owner-notices/owner-notices.ts';
import { createPeppersInForce } from '../../src/identity/peppers/peppers-in-force.ts';
import { createServerKeys } from '../../src/identity/server-keys.ts';
import { parseThreePid } from '../../src/model/addresses.ts';
import { createBuckets } from '../../src/platform/buckets.ts';
import { createLeases } from '../../src/platform/leases.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { pruneLog } from '../../src/replication/pruning.ts';
import { createReceiver } from '../../src/replication/receiver.ts';
import { openStorage } from '../../src/storage/open.ts';
import { temporaryFolder } from '../support/databases.ts';
import { deletion, newSigningKey, signedAssociation } from '../support/replicating-servers.ts';
import { SERVER_NAME, TestClock } from '../support/server.ts';

/** Ways into a table that take the longer the more is in it; of deletions the log has few. */
const SCANS =
  /^(?:SCAN (?!json_each|CONSTANT|pending_invite$|.*cognomen_log_deletions$|\d+-ROW VALUES CLAUSE$|\(subquery-\d+\)$|ranked$)|SEARCH \S+ USING .*\((?:medium|originServer|origin_server)=\?\)$)/;

test('binding, inviting, looking up and replicating look at no more rows than concern them, on SQLite', async () => {
  const folder = await temporaryFolder();
  const file = path.join(folder.path, 'sydent.db');
  const clock = new TestClock();
  const logger = pino({ level: 'silent' });
  const storage = await openStorage(
    { engine: 'sqlite', file, backup: false, exclusive: false },
    { logger, clock, random: secureRandom, serverName: SERVER_NAME, pidFile: '' },
  );
  const metrics = createMetrics();
  const statements = new Set<string>();
  const prepare = Database.prototype.prepare;
  Database.prototype.prepare = function (this: Database.Database, text: string) {
    statements.add(text);
    return prepare.call(this, text);
  } as typeof prepare;

  const seed = secureRandom.bytes(32);
  const keys = createServerKeys(SERVER_NAME, {
    signingKey: { version: '0', seed },
    oldKeys: [],
    oldSigningKeys: [],
  });
  const ada = parseThreePid('email', 'ada@sample.test');
  if (ada === undefined) throw new Error('That is an address');
  const onbindNotices = {
    storage,
    keys,
    clock,
    random: secureRandom,
    logger,
    metrics: metrics.onbind,
  };
  const notices = createOnbindNotices({ ...onbindNotices, expiry: 0, added: () => {} });
  const limits = { most: () => 1, reached: () => true };
  const buckets = createBuckets(clock);
  const trail = createMessageTrail({
    storage,
    clock,
    buckets,
    logger,
    kept: 1,
    onLeftOut: () => {},
  });
  const associations = createAssociations({
    storage,
    keys,
    clock,
    notices,
    ownerNotices: createOwnerNotices({ clock, added: () => {} }),
    limits,
    trail,
    logged: () => {},
    onChange: () => {},
  });
  async function mailOwner() {
    const mails: OwnerNoticeMail[] = [];
    const leases = createLeases({ clock, random: secureRandom });
    const mailing = startOwnerMailing({
      ...{ storage, clock, random: secureRandom, leases, logger },
      send: async (mail) => void mails.push(mail),
    });
    await expect.poll(() => storage.stores.ownerNotices.hasDue(clock.now(), 0)).toBe(false);
    await mailing.stop();
    expect(mails).toMatchObject([{ address: 'ada@sample.test', changes: 2 }]);
    const person = { kind: 'address', medium: 'email', address: 'ada@sample.test' } as const;
    await storage.stores.persons.find('owner_notices', person, 10);
    await storage.stores.persons.erase('owner_notices', person, 10, clock.now());
    const user = { kind: 'user', mxid: '@ada:sample.test' } as const;
    await storage.stores.persons.find('owner_notices', user, 10);
    await giveUpOldNotices({ storage, clock, logger, trail, onGivenUp: () => {} });
  }
  const rules = { expiry: 1, keyGrace: 1 };
  const room = createInvitationQuota({
    clock,
    logger,
    limits,
    rules,
    onGivenWay: () => {},
  });
  const newcomer = { address: 'grace@sample.test', sender: '@ada:sample.test', isV1: false };
  for (const token of ['first', 'second']) {
    const place = room.placeFor(newcomer);
    await place.check(storage.stores);
    await storage.transaction((stores) => place.make(stores));
    const invite = { ...newcomer, medium: 'email', roomId: '!tea:sample.test', token };
    await storage.stores.invitations.confirm(invite, token, clock.now(), undefined);
  }
  await deleteOldInvitations(storage, clock, rules);
  const owned = { medium: 'email', address: 'grace@sample.test', undelivered: true } as const;
  await storage.stores.overview.invites(owned, { after: 0, limit: 10 });
  await associations.bind(ada, '@ada:sample.test', 1);
  await associations.bind(ada, '@other:sample.test');
  // Another session has it bound back, and an app takes that back: its owner is told once, of both.
  await associations.bind(ada, '@ada:sample.test', 1);
  await associations.unbind(ada, '@ada:sample.test', 'app');
  await mailOwner();
  await associations.bind(ada, '@other:sample.test');
  const lookup = createLookup({
    storage,
    peppers: createPeppersInForce({ storage, clock, inForce: () => {} }),
    keys,
    clock,
    addressLimit: 10,
    allowNone: true,
    limits: { admit: async () => {} },
  });
  const caller = { version: 'v1', user: undefined, address: '192.0.2.1', networks: [] } as const;
  await lookup.find('email', 'ada@sample.test', caller);
  await lookup.findMany([['email', 'ada@sample.test']], caller);
  const { pepper } = await lookup.hashDetails();
  for (const algorithm of ['sha256', 'none']) {
    await lookup.findMapped({ addresses: ['ada@sample.test email'], algorithm, pepper }, caller);
  }
  await associations.unbind(ada, '@other:sample.test', 'operator');
  await associations.bind(ada, '@ada:sample.test');
  const deliver = createNoticeDelivery({
    ...onbindNotices,
    trail,
    sign: notices.sign,
    send: async () => ({ kind: 'taken' }),
    rules: { keepDelivered: false, keyGrace: 0 },
  });
  const owed = storage.stores.onbindNotices;
  const [notice] = await owed.due('sample.test', clock.now(), 20);
  if (notice === undefined) throw new Error('A notice is owed');
  await owed.refuse(notice.id, 1, clock.now(), clock.now());
  expect(await owed.dueRefused('sample.test', clock.now(), 1)).toHaveLength(1);
  await owed.nextAttempts('sample.test');
  expect(await deliver(notice.id)).toEqual({ kind: 'taken' });
  await trail.stop();
  const remembered = await storage.stores.messageEvents.of('email', 'ada@sample.test');
  expect(remembered.map(({ event }) => event)).toEqual(['bound', 'told']);

  const { pair, publicKey } = newSigningKey();
  const receiver = createReceiver({
    storage,
    clock,
    logger,
    metrics: metrics.replication,
    bound: notices.enqueueInvitations,
    unbound: notices.takeBack,
  });
  const peer = {
    name: 'peer.test',
    keys: [publicKey],
    active: true,
    port: undefined,
    url: undefined,
    lastSent: undefined,
    lastSuccessAt: undefined,
    lastFailure: undefined,
  };
  const pusher = { name: 'peer.test', pair };
  const refused = await receiver.receive(peer, [
    { id: 1, signed: signedAssociation(pusher) },
    { id: 2, signed: signedAssociation(pusher, { ts: clock.now() - 1 }) },
    { id: 3, signed: deletion(pusher, { ts: clock.now() }) },
  ]);
  expect(refused).toEqual([]);
  await storage.stores.associations.logAfter(0, 10);
  await storage.stores.replicated.highestLogId();
  await storage.stores.ownAssociations.otherNames(SERVER_NAME);
  await pruneLog(storage, clock, logger);

  const terms = createTerms({ storage, current: () => undefined, trustedHomeservers: [] });
  const tokenLifetime = 1000;
  const accounts = createAccounts({ storage, clock, random: secureRandom, terms, tokenLifetime });
  // One is deleted, that the statements for it are seen.
  for (let i = 0; i <= 100; i++) await accounts.issueToken('@ada:sample.test');
  await accounts.authenticate(await accounts.issueToken('@other:sample.test'), 'accepted-terms');
  await accounts.deleteUnused();

  Database.prototype.prepare = prepare;
  await storage.close();
  const db = new Database(file);
  const steps = [...statements]
    .filter((text) => /^(?:select|insert|update|delete)\b/.test(text) && !/"peers"/.test(text))
    .flatMap((text) => {
      const values = Array(text.split('?').length - 1).fill(null);
      const plan = db.prepare(`explain query plan ${text}`).all(...values) as { detail: string }[];
      return plan.map(({ detail }) => [detail, text] as const);
    });
  expect(steps.filter(([detail]) => SCANS.test(detail))).toEqual([]);
  const lookups = steps.filter(
    ([detail, text]) => /"notAfter" >/.test(text) && detail.includes('SEARCH lookup'),
  );
  expect(lookups).toHaveLength(3);
  for (const [detail] of lookups) expect(detail).toContain('USING COVERING INDEX');
  const ofAddress = steps.filter(
    ([detail, text]) => /order by invite\.id \+ 0/.test(text) && /SEARCH invite\b/.test(detail),
  );
  expect(ofAddress).not.toEqual([]);
  for (const [detail] of ofAddress) expect(detail).toContain('cognomen_invite_tokens_address');
  expect(statements.size).toBeGreaterThan(20);
  db.close();
  await folder.remove();
});
