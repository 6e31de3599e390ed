import { createServerKeys } from '../identity/server-keys.ts';
import { FAULTS, type Fault, type Finding } from '../identity/verification/findings.ts';
import { type Verification, verifyAssociations } from '../identity/verification/verification.ts';
import type { CommandLine } from './command.ts';
import { terminalProgress } from './terminal-progress.ts';
import { type OpenDatabase, withDatabase } from './with-database.ts';

/** So many of what SQLite finds wrong are shown. */
const FILE_FAULTS = 5;

const BACKUP = 'take them from a backup, or have their users bind them anew';
const MADE_ANEW = 'cognomen db verify --repair makes them anew';

/** What is said of each fault, and what is to be done about it. */
const TELLING: Readonly<
  Record<Fault, { readonly what: string; readonly repairable: boolean; readonly advice: string }>
> = {
  unreadable: {
    what: 'associations whose signed JSON holds none',
    repairable: false,
    advice: BACKUP,
  },
  different: {
    what: 'associations of this server whose signed JSON says something else than their columns',
    repairable: false,
    advice: BACKUP,
  },
  unsigned: {
    what: 'associations of this server that none of its keys has signed',
    repairable: false,
    advice: `if this server had other keys before, name them in [crypto] ed25519.old_keys; else ${BACKUP}`,
  },
  unindexed: {
    what: 'associations that lack keys of lookups',
    repairable: true,
    advice: MADE_ANEW,
  },
  misindexed: {
    what: 'associations with wrong keys of lookups',
    repairable: true,
    advice: MADE_ANEW,
  },
  orphaned: {
    what: 'associations that are gone, with keys of lookups left',
    repairable: true,
    advice: 'cognomen db verify --repair deletes them',
  },
};

const say = (text: string) => process.stdout.write(`${text}\n`);

/** Whether it is well. */
async function verifyFile({ config, storage }: OpenDatabase): Promise<boolean> {
  // SQLite does not tell how far it is.
  if (config.db.engine === 'sqlite') process.stderr.write('Checking the file\n');
  const faults = await storage.stores.verification.fileFaults(FILE_FAULTS);
  if (faults.length === 0) return true;
  say(
    `The file is damaged; the first of what SQLite finds: ${faults.join('; ').replaceAll('\n', ' ')}`,
  );
  say(
    '  What to do: stop the server, keep a copy of the file and of what is beside it, and restore a backup; nothing is repaired in it',
  );
  return false;
}

function tell(fault: Fault, { count, examples }: Finding, repair: boolean): boolean {
  const { what, repairable, advice } = TELLING[fault];
  const repaired = repair && repairable;
  const such = examples.length < count ? 'such as ' : '';
  say(`${count} ${what}: ${such}${examples.join(', ')}${repaired ? ' (repaired)' : ''}`);
  if (!repaired) say(`  What to do: ${advice}`);
  return repaired;
}

/** Whether all is well now. */
function report({ findings }: Verification, repair: boolean): boolean {
  let isWell = true;
  for (const fault of FAULTS) {
    const finding = findings.of(fault);
    if (finding !== undefined && !tell(fault, finding, repair)) isWell = false;
  }
  return isWell;
}

async function verifyRows(database: OpenDatabase, repair: boolean): Promise<boolean> {
  const { config, storage } = database;
  const keys = createServerKeys(config.general.serverName, config.crypto);
  const progress = terminalProgress();
  const verification = await verifyAssociations({ storage, keys, progress }, { repair });
  const isWell = report(verification, repair);
  const { associations, lookupKeys } = verification;
  say(`${associations} associations and ${lookupKeys} keys of lookups were checked`);
  return isWell;
}

/** Of a file that is damaged: what it said of itself so far stands. */
function tellUnread(error: unknown): false {
  say(`The rest could not be checked: ${error instanceof Error ? error.message : error}`);
  return false;
}

/** `cognomen db verify [--repair]`; resolves to the exit status. */
export const verify = (line: CommandLine): Promise<number> =>
  withDatabase(line, async (database) => {
    const fileIsWell = await verifyFile(database);
    // What is written to a damaged file may damage more of it.
    const rows = verifyRows(database, fileIsWell && line.flags.has('repair'));
    const rowsAreWell = await (fileIsWell ? rows : rows.catch(tellUnread));
    const isWell = fileIsWell && rowsAreWell;
    say(isWell ? 'All is well' : 'Not all is well');
    return isWell ? 0 : 1;
  });
