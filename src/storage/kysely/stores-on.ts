import type { Db, Engine } from '../engines/engine.ts';
import type { Stores } from '../stores/index.ts';
import { accountStore } from './accounts.ts';
import { adoptionStore } from './adoption/adoption.ts';
import { ownAssociationStore } from './adoption/own-associations.ts';
import { respellingStore } from './adoption/respelling.ts';
import { associationStore } from './associations.ts';
import { ephemeralKeyStore } from './ephemeral-keys.ts';
import { invitationStore } from './invitations.ts';
import { lookupStore } from './lookups.ts';
import { networkKeyStore } from './network-keys.ts';
import { onbindNoticeStore } from './onbind-notices.ts';
import { peerStore } from './peers.ts';
import { replicatedStore } from './replicated.ts';
import { sessionStore } from './sessions.ts';
import { stateStore } from './state.ts';

/** Makes the stores of an engine: on the database, or in a transaction. */
export function storesOn(engine: Engine): (db: Db) => Stores {
  // These keep statements prepared.
  const [accounts, lookups] = [accountStore(engine), lookupStore(engine)];
  return (db) => ({
    sessions: sessionStore(engine, db),
    associations: associationStore(engine, db),
    lookups: lookups(db),
    ephemeralKeys: ephemeralKeyStore(db),
    accounts: accounts(db),
    networkKeys: networkKeyStore(db),
    invitations: invitationStore(engine, db),
    onbindNotices: onbindNoticeStore(engine, db),
    state: stateStore(db),
    adoption: adoptionStore(db),
    ownAssociations: ownAssociationStore(engine, db),
    respelling: respellingStore(db),
    peers: peerStore(engine, db),
    replicated: replicatedStore(engine, db),
  });
}
