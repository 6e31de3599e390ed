import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, expect, test } from 'vitest';
import type { Asked, Slowest } from './parser-worker.ts';
import { PARSERS } from './parsers.ts';

const SRC = path.join(import.meta.dirname, '../../src');
/** Characters of the texts that all are tried with. */
const LENGTH = 20_000;
/** Milliseconds: what takes less on such a text does nothing for each pair of characters. */
const QUICK = 15;
/** What took longer is compared on two texts of which one is that many times as long; a step for each pair of characters takes 256. */
const LONGER = 16;
/** That many times as long it may take: caches and the collection of garbage make the long text slower by more than its length. */
const MOST = 130;
const PATIENCE = 60_000;

/** Exported functions that are found for their names or arguments and have no text of others to read; by the reason. */
const NO_PARSERS: Readonly<Record<string, readonly string[]>> = {
  'reads and writes files, whose text others in the table read': [
    'addSigningKey',
    'createLogo',
    'faultsOfLogo',
    'putInPlace',
    'writeDurably',
    'replaceSecretText',
    'parseSources',
    'readConfigWithKey',
    'loadTerms',
    'lockFile',
    'openBeside',
    'openLogFile',
    'readCertificates',
    'readConfig',
    'readPidFile',
    'refuseExisting',
    'refuseForeignWriters',
    'writeFirstConfig',
    'writePidFile',
    'exposedCertificate',
  ],
  'reads what parseConfig has read': [
    'readAccess',
    'readCrypto',
    'readDatabase',
    'readEmail',
    'readGeneral',
    'readHttp',
    'peerKeys',
    'readLimits',
    'readLookupPepper',
    'readMessages',
    'readSelfService',
    'readAdmin',
    'readLog',
    'readOperator',
    'readProcesses',
    'readPeers',
    'readSms',
    'readWebClients',
    'readPrometheus',
    'readNotices',
    'readProvider',
    'readRelay',
    'readReplication',
  ],
  'chooses between two that are in the table': ['compileTemplate'],
  'reads arguments by the fields, which are in the table': ['readArguments', 'field'],
  'reads what an operator types, short or by functions in the table': [
    'parseThreePidOf',
    'linesNaming',
    'plain',
    'readId',
    'secretIn',
    'readLimit',
    'readPage',
    'wholeNumber',
  ],
  'looks it up in a set': ['isKnownField'],
  'reads what this server has written': ['strictPolicy'],
  'takes bytes of a known length': [
    'createSeal',
    'createVerifier',
    'keyPairFromSeed',
    'verifySignature',
  ],
  'makes an error or looks at one': [
    'badJson',
    'codeOf',
    'connectionError',
    'explain',
    'gaveNoSign',
    'hasNoConnection',
    'invalidParam',
    'isBroken',
    'isBusy',
    'isDamage',
    'isLost',
    'isOutcomeUnknown',
    'isReadOnly',
    'isRefused',
    'isSilent',
    'isStop',
    'kindOf',
    'namingFile',
    'nonsense',
    'reason',
    'reasonOf',
    'tellFailedStart',
    'tooManyConnections',
    'toApiError',
  ],
  'is given names and texts of this server’s own': [
    'operationCommand',
    'basicAuthorization',
    'checkNewKey',
    'createKeyOnFile',
    'createPeerClaim',
    'createServerKeys',
    'during',
    'named',
    'networkOf',
    'giveUpOld',
    'isAddress',
    'isOrigin',
    'inSnakeCase',
    'listing',
    'newMessageId',
    'noteRefusals',
    'ok',
    'openFile',
    'parseContested',
    'ping',
    'readPeppers',
    'readPosition',
    'requestNoter',
    'startWorker',
  ],
  'looks at the type only': ['isObject'],
};

/** What reads something, by its name. */
const READS = /^(?:parse|read|decode|split|fold|normali[sz]e|compile)(?=[A-Z])/;
const DECLARED =
  /^export (?:async )?(?:function\*?|const) (\w+)(?:<[^>]*>)?(?: = (?:async )?)?\(\s*(?:\w+|\{[^}]*\}|_\w+)\??: (string|Buffer|Uint8Array|unknown)\b/gm;
const NAMED = /^export (?:async )?(?:function\*?|const) (\w+)/gm;

/** The exported functions that take a text first, or are named as what reads one. */
function readers(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const code = readFileSync(path.join(SRC, file), 'utf8');
    for (const [, name = ''] of code.matchAll(DECLARED)) found.set(name, file);
    for (const [, name = ''] of code.matchAll(NAMED)) if (READS.test(name)) found.set(name, file);
  }
  return found;
}

test('every function that reads a text is in the table', () => {
  const covered = new Set(PARSERS.flatMap(({ names }) => names));
  const exceptions = Object.values(NO_PARSERS).flat();
  const found = readers();
  const missing = [...found].filter(([name]) => !covered.has(name) && !exceptions.includes(name));
  expect(missing).toEqual([]);
  expect(exceptions.filter((name) => !found.has(name))).toEqual([]);
});

let worker: Worker | undefined;
afterAll(() => worker?.terminate());

/** What the worker answers; undefined when it did not come to an end. */
async function ask(asked: Asked): Promise<Slowest | undefined> {
  if (worker === undefined) {
    worker = new Worker(path.join(import.meta.dirname, 'parser-worker.ts'));
    await once(worker, 'message');
  }
  worker.postMessage(asked);
  try {
    const [answer] = await once(worker, 'message', { signal: AbortSignal.timeout(PATIENCE) });
    return answer as Slowest;
  } catch {
    await worker.terminate();
    worker = undefined;
    return undefined;
  }
}

/** What is wrong with the time a parser takes; undefined when nothing is. */
async function faultOf(index: number): Promise<string | undefined> {
  const slowest = await ask({ index, length: LENGTH });
  if (slowest === undefined) return 'takes for ever';
  if (slowest.time <= QUICK) return undefined;
  const { at, text } = slowest;
  let short = await ask({ index, length: (LENGTH / LONGER) * 4, at });
  let long = await ask({ index, length: LENGTH * 4, at });
  if (long !== undefined && long.time < slowest.time / 4) {
    // Too long a text for it, and refused for that.
    short = await ask({ index, length: LENGTH / LONGER, at });
    long = await ask({ index, length: LENGTH, at });
  }
  if (short !== undefined && long !== undefined && long.time <= MOST * short.time) return undefined;
  return `takes ${short?.time} and ${long?.time} ms on ${JSON.stringify(text)}`;
}

test('every parser takes time in proportion to the text', { timeout: 300_000 }, async () => {
  const found: string[] = [];
  for (const [index, { names }] of PARSERS.entries()) {
    let fault = await faultOf(index);
    // Garbage of another text may have been collected meanwhile, or a function compiled.
    for (let again = 0; fault !== undefined && again < 2; again++) fault = await faultOf(index);
    if (fault !== undefined) found.push(`${names.join(', ')} (${index}) ${fault}`);
  }
  expect(found).toEqual([]);
});
