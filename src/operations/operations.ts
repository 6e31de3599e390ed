import { listAccounts, logOutAccount } from './accounts.ts';
import { createToken, listTokens, revokeToken } from './admin-tokens.ts';
import { listAudit } from './audit.ts';
import { bind, unbind } from './bind.ts';
import { blockSomebody, listBlocks, unblock } from './blocks.ts';
import { casefoldAddresses } from './casefold.ts';
import { showConfig } from './config.ts';
import { takeDeliveryReport } from './delivery-reports.ts';
import { doctor } from './doctor.ts';
import { showHistory } from './history.ts';
import { groupInvites } from './invite-groups.ts';
import { cancelInvite, expireInvite, listInvites, resendInvite, showInvite } from './invites.ts';
import { listKeys, planKey } from './keys.ts';
import { listLimits, resetLimits } from './limits.ts';
import { lookup } from './lookup.ts';
import { testMail, testSms } from './message-tests.ts';
import { showOutcomes } from './messages.ts';
import type { AnyOperation } from './operation.ts';
import { dropOutbox, listOutbox, retryOutbox } from './outbox.ts';
import { addPeer, disablePeer, enablePeer, listPeers, removePeer, showPeers } from './peers.ts';
import { rotatePepper, showPepper } from './pepper.ts';
import { erasePerson, exportPerson } from './person.ts';
import { listTemplates, previewMessage } from './previews.ts';
import { allowInvites, showRefusals } from './refusals.ts';
import { deleteSession, listSessions } from './sessions.ts';
import { stats } from './stats.ts';
import { trace } from './trace.ts';
import { wouldBlock } from './would-block.ts';

/** Every operation, in the order of the help. Those of one resource stand together. */
export const OPERATIONS: readonly AnyOperation[] = [
  doctor,
  showConfig,
  listKeys,
  planKey,
  rotatePepper,
  showPepper,
  stats,
  showHistory,
  lookup,
  trace,
  showOutcomes,
  listTemplates,
  previewMessage,
  testMail,
  takeDeliveryReport,
  testSms,
  bind,
  unbind,
  listInvites,
  groupInvites,
  wouldBlock,
  showInvite,
  resendInvite,
  expireInvite,
  cancelInvite,
  showRefusals,
  allowInvites,
  listOutbox,
  retryOutbox,
  dropOutbox,
  listLimits,
  resetLimits,
  listBlocks,
  blockSomebody,
  unblock,
  listPeers,
  showPeers,
  addPeer,
  removePeer,
  enablePeer,
  disablePeer,
  listSessions,
  deleteSession,
  listAccounts,
  logOutAccount,
  createToken,
  listTokens,
  revokeToken,
  listAudit,
  casefoldAddresses,
  exportPerson,
  erasePerson,
];
