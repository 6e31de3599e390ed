import { ConfigError, readConfig } from '../config/load.ts';
import type { ReadValue } from '../config/reader.ts';
import { asFile, HIDDEN, keyOf, shownValues } from '../config/shown-values.ts';
import { surroundings } from '../config/surroundings.ts';
import {
  aList,
  anObject,
  aString,
  type Described,
  describedAs,
  named,
} from '../model/json-schema.ts';
import type { Operation, OperationContext } from './operation.ts';

/** A value in force; without one where there is none. */
const SETTING = named(
  'Setting',
  anObject(
    {
      section: aString,
      key: aString,
      from: describedAs('A file, a variable of the environment ($NAME), or default', aString),
      about: describedAs('What the key is for', aString),
    },
    {
      value: describedAs('(hidden) where it is a secret', aString),
      after_restart: describedAs('What the files say by now, where that is another value', aString),
    },
  ),
);
type Setting = Described<typeof SETTING>;

/** What the files and the environment say by now; undefined where that could not be used: `doctor` tells why. */
async function valuesByNow({
  config,
}: OperationContext): Promise<readonly ReadValue[] | undefined> {
  try {
    return (await readConfig(config.files, surroundings())).values;
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

/** Values of a running server, with what has been changed since. */
async function compared(
  inForce: readonly ReadValue[],
  context: OperationContext,
): Promise<Setting[]> {
  const byNow = new Map((await valuesByNow(context))?.map((value) => [keyOf(value), value]));
  const before = new Map(inForce.map((value) => [keyOf(value), value]));
  return shownValues(inForce).map((setting) => {
    const key = `[${setting.section}] ${setting.key}`;
    const next = byNow.get(key);
    // Signing keys are taken up by a running server: `key list` tells which are in force.
    const isOther = next !== undefined && next.value !== before.get(key)?.value;
    if (!isOther || setting.section === 'crypto') return setting;
    const text = shownValues([next])[0]?.value ?? '';
    return { ...setting, after_restart: next.key.secret ? HIDDEN : text };
  });
}

/** Every value in force, and where it comes from. */
export const showConfig: Operation<readonly Setting[]> = {
  resource: 'config',
  action: 'show',
  kind: 'overview',
  summary:
    'Every value in force and where it comes from: a file, a variable of the environment, or the default; secrets are not shown',
  asksNoDatabase: true,
  result: aList(SETTING),
  async run(_input, context) {
    const { config, valuesInForce } = context;
    if (valuesInForce !== undefined) return compared(valuesInForce, context);
    return shownValues((await readConfig(config.files, surroundings())).values);
  },
  text: (all) => asFile(all, true).trimEnd(),
};
