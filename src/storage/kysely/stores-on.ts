import type { Db, Engine } from '../engines/engine.ts';
import type { Stores } from '../stores/index.ts';
import { accountStore } from './accounts.ts';
import { adoptionStore } from './adoption/adoption.ts';
import { ownAssociationStore } from './adoption/own-associations.ts';
import { respellingStore } from './adoption/respelling.ts';
import { associationStore } from './associations.ts';
import { ephemeralKeyStore } from './ephemeral-keys.ts';
import { erasureStore } from './erasures.ts';
import { historyStore } from './history.ts';
import { invitationRefusalStore } from './invitation-refusals.ts';
import { invitationStore } from './invitations.ts';
import { lookupStore } from './lookups.ts';
import { messageEventStore } from './message-events.ts';
import { networkKeyStore } from './network-keys.ts';
import { onbindNoticeStore } from './onbind-notices.ts';
import { adminTokenStore, auditStore } from './operators.ts';
import { overviewStore } from './overview.ts';
import { ownerNoticeStore } from './owner-notices.ts';
import { ownerSessionStore } from './owner-sessions.ts';
import { peerStore } from './peers.ts';
import { pepperStore } from './peppers.ts';
import { personStore } from './persons.ts';
import { keyWriter } from './queries/lookup-keys.ts';
import { replicatedStore } from './replicated.ts';
import { sessionStore } from './sessions.ts';
import { stateStore } from './state.ts';
import { verificationStore } from './verification.ts';

/** Makes the stores of an engine: on the database, or in a transaction. */
export function storesOn(engine: Engine): (db: Db) => Stores {
  // These keep statements prepared.
  const [accounts, lookups, peppers, state] = [
    accountStore(engine),
    lookupStore(engine),
    pepperStore(engine),
    stateStore(engine),
  ];
  const [sessions, onbindNotices] = [sessionStore(engine), onbindNoticeStore(engine)];
  const writer = keyWriter(engine);
  const associations = associationStore(engine, writer);
  return (db) => ({
    sessions: sessions(db),
    associations: associations(db),
    lookups: lookups(db),
    ephemeralKeys: ephemeralKeyStore(engine, db),
    accounts: accounts(db),
    networkKeys: networkKeyStore(db),
    erasures: erasureStore(engine, db),
    invitations: invitationStore(engine, db),
    invitationRefusals: invitationRefusalStore(db),
    messageEvents: messageEventStore(db),
    history: historyStore(db),
    onbindNotices: onbindNotices(db),
    state: state(db),
    adoption: adoptionStore(engine, db, writer),
    ownAssociations: ownAssociationStore(engine, db, writer),
    respelling: respellingStore(db),
    overview: overviewStore(engine, db),
    adminTokens: adminTokenStore(db),
    audit: auditStore(db),
    ownerNotices: ownerNoticeStore(engine, db),
    ownerSessions: ownerSessionStore(db),
    peers: peerStore(engine, db),
    peppers: peppers(db),
    persons: personStore(engine, db, {
      onbindNotices: onbindNotices(db),
      ownerNotices: ownerNoticeStore(engine, db),
    }),
    replicated: replicatedStore(engine, db, writer),
    verification: verificationStore(engine, db, writer),
  });
}
