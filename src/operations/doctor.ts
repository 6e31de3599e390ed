import { checkCertificates } from '../checks/certificates.ts';
import { type Finding, ok, problem, reasonOf } from '../checks/finding.ts';
import { checkRoom, checkRunning } from '../checks/machine.ts';
import { checkRelay } from '../checks/relay.ts';
import { checkSettings, checkText } from '../checks/settings.ts';
import {
  checkMails,
  checkOldWays,
  checkOwed,
  checkPeers,
  checkPepper,
  checkWrites,
} from '../checks/stored.ts';
import { checkTemplates } from '../checks/templates.ts';
import { aList, anObject, aString, aWordOf, type Described, named } from '../model/json-schema.ts';
import { OperatorError } from '../platform/operator-error.ts';
import { UnavailableError } from '../platform/unavailable.ts';
import type { Operation, OperationContext } from './operation.ts';
import { plain } from './text.ts';

const STATE = aWordOf('ok', 'warning', 'problem');
const FINDING = named(
  'Finding',
  anObject({ about: aString, state: STATE, finding: aString }, { remedy: aString }),
);

/** How the server is: the worst of all findings, and these. */
const DIAGNOSIS = anObject({ state: STATE, findings: aList(FINDING) });
export type Diagnosis = Described<typeof DIAGNOSIS>;

type Check = (context: OperationContext) => Finding[] | Promise<Finding[]>;

const checkKeys: Check = ({ keys }) => {
  const [signs, ...former] = keys.signingIds;
  const kept = former.length === 0 ? '' : `; former ones that still can: ${former.join(', ')}`;
  return [ok('signing key', `${keys.serverName} signs by ${signs}${kept}`)];
};

const WITHOUT_DATABASE: readonly (readonly [about: string, check: Check])[] = [
  ['configuration', ({ config }) => checkText(config)],
  ['server', ({ config }) => checkRunning(config)],
  ['disk', ({ config }) => checkRoom(config)],
  ['signing key', checkKeys],
  ['certificate', ({ config, clock }) => checkCertificates(config, clock.now())],
  ['templates', ({ config, clock }) => checkTemplates(config, clock)],
  ['settings', ({ config }) => checkSettings(config)],
];

const STORED: readonly (readonly [about: string, check: Check])[] = [
  ['mails', checkMails],
  ['outbox', checkOwed],
  ['peers', checkPeers],
  ['pepper', checkPepper],
  ['old ways', checkOldWays],
];

/** What the check finds; that it could not be made is a finding, too. */
async function findingsOf(about: string, work: () => Finding[] | Promise<Finding[]>) {
  try {
    return await work();
  } catch (error) {
    const isTold = error instanceof OperatorError || error instanceof UnavailableError;
    const isSystems = error instanceof Error && 'code' in error;
    if (!isTold && !isSystems) throw error;
    return [problem(about, reasonOf(error), 'mend that, and look again')];
  }
}

async function diagnose(context: OperationContext, isOffline: boolean): Promise<Diagnosis> {
  const findings: Finding[] = [];
  const make = async ([about, check]: readonly [string, Check]) => {
    const found = await findingsOf(about, () => check(context));
    findings.push(...found);
    return found;
  };
  const ofDatabase = await make(['database', checkWrites]);
  for (const check of WITHOUT_DATABASE) await make(check);
  if (!isOffline) await make(['relay', ({ config }) => checkRelay(config)]);
  // Where it cannot be used, that was said.
  const isUsable = ofDatabase.some(({ about, state }) => about === 'database' && state === 'ok');
  if (isUsable) for (const check of STORED) await make(check);
  const has = (wanted: Finding['state']) => findings.some(({ state }) => state === wanted);
  return { state: has('problem') ? 'problem' : has('warning') ? 'warning' : 'ok', findings };
}

const WIDTH = 'problem'.length;
const VERDICTS = {
  ok: 'All is well',
  warning: 'It works; look at the warnings',
  problem: 'Something does not work',
} as const;

/** Whether all is well, and if not, what to do. */
export const doctor: Operation<Diagnosis> = {
  resource: 'doctor',
  kind: 'overview',
  summary: 'Whether all is well, and if not, what to do; exits with 1 when something does not work',
  flags: { offline: 'Leave out the relay' },
  worksWithoutDatabase: true,
  result: DIAGNOSIS,
  run: ({ flags }, context) => diagnose(context, flags.has('offline')),
  text: ({ state, findings }) =>
    [
      ...findings.map(
        (one) =>
          `${one.state.padEnd(WIDTH)}  ${plain(one.about)}: ${plain(one.finding)}${one.remedy === undefined ? '' : `\n${' '.repeat(WIDTH)}  → ${one.remedy}`}`,
      ),
      VERDICTS[state],
    ].join('\n'),
  succeeded: ({ state }) => state !== 'problem',
};
