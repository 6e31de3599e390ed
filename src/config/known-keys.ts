import type { Key } from './keys.ts';
import { DEFAULT_SECTION, type IniFile } from './parser.ts';
import { ACCESS } from './sections/access.ts';
import { ADMIN } from './sections/admin.ts';
import { CRYPTO } from './sections/crypto.ts';
import { DB } from './sections/db.ts';
import { EMAIL } from './sections/email.ts';
import { GENERAL } from './sections/general.ts';
import { HTTP } from './sections/http.ts';
import { LIMIT_KEYS, LIMITS_IN_GENERAL } from './sections/limits.ts';
import { LOOKUP_PEPPER } from './sections/lookup-pepper.ts';
import { MESSAGES } from './sections/messages.ts';
import { PEER_PREFIX, peerKeys } from './sections/peers.ts';
import { SELF_SERVICE } from './sections/self-service.ts';
import { SMS, SMS_FAMILIES } from './sections/sms.ts';
import { type Environment, FILE_SUFFIX, variableOf } from './sources.ts';

/** Every key, by section, in the order of the documentation. */
export const SECTIONS: Readonly<Record<string, readonly Key<unknown>[]>> = {
  general: [
    ...Object.values(GENERAL),
    ...Object.values(ACCESS),
    ...Object.values(LIMITS_IN_GENERAL),
    ...Object.values(SELF_SERVICE),
  ],
  db: Object.values(DB),
  http: Object.values(HTTP),
  email: Object.values(EMAIL),
  sms: Object.values(SMS),
  messages: Object.values(MESSAGES),
  limits: LIMIT_KEYS,
  lookup_pepper: Object.values(LOOKUP_PEPPER),
  admin: Object.values(ADMIN),
  crypto: Object.values(CRYPTO),
};

export const FAMILIES = Object.values(SMS_FAMILIES);

/** The number of single-letter changes that make one text of the other. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}

function nearest(name: string, known: readonly string[]): string | undefined {
  const withPrefix = known.find((candidate) => candidate.toLowerCase().endsWith(`.${name}`));
  if (withPrefix !== undefined) return withPrefix;
  const scored = known
    .map((candidate) => ({ candidate, score: distance(name, candidate.toLowerCase()) }))
    .sort((a, b) => a.score - b.score)[0];
  return scored && scored.score <= Math.max(2, name.length / 4) ? scored.candidate : undefined;
}

const names = (keys: readonly Key<unknown>[]) =>
  keys.flatMap(({ name, secret }) => (secret ? [name, name + FILE_SUFFIX] : [name]));
const isIn = (keys: readonly Key<unknown>[], name: string) =>
  names(keys).some((known) => known.toLowerCase() === name);
const isFamily = (section: string, name: string) =>
  FAMILIES.some((family) => family.section === section && name.startsWith(family.prefix));

function describeUnknownKey(section: string, name: string, keys: readonly Key<unknown>[]): string {
  const unknown = `[${section}] ${name} is not a key of this server`;
  const home = Object.entries(SECTIONS).find(
    ([other, theirs]) => isIn(theirs, name) || isFamily(other, name),
  );
  if (home !== undefined) return `[${section}] ${name} belongs in [${home[0]}]; it is ignored here`;
  const close = nearest(name, names(keys));
  return close === undefined ? unknown : `${unknown}; did you mean ${close}?`;
}

/** A warning for each section and key that means nothing. */
export function unknownNames(ini: IniFile): string[] {
  const warnings: string[] = [];
  const everything = Object.values(SECTIONS).flat();
  for (const name of ini.keys(DEFAULT_SECTION)) {
    // Values there can also be meant for %(name)s in others, but a misspelt key looks the same.
    if (isIn(everything, name) || isFamily('sms', name)) continue;
    warnings.push(describeUnknownKey(DEFAULT_SECTION, name, everything));
  }
  for (const section of ini.sections) {
    const keys = section.startsWith(PEER_PREFIX)
      ? Object.values(peerKeys(section))
      : SECTIONS[section];
    if (keys === undefined) {
      const close = nearest(section.toLowerCase(), Object.keys(SECTIONS));
      warnings.push(
        `[${section}] is not a section of this server${close ? `; did you mean [${close}]?` : ''}`,
      );
      continue;
    }
    for (const name of ini.keys(section)) {
      if (isIn(keys, name) || isFamily(section, name)) continue;
      warnings.push(describeUnknownKey(section, name, keys));
    }
  }
  return warnings;
}

/** A warning for each variable of the environment that looks as if it set a key, and does not. */
export function unknownVariables(ini: IniFile, env: Environment['env']): string[] {
  const peers = ini.sections.filter((section) => section.startsWith(PEER_PREFIX));
  const keys = [
    ...Object.values(SECTIONS).flat(),
    ...peers.flatMap((section): Key<unknown>[] => Object.values(peerKeys(section))),
  ];
  const known = keys.flatMap((key) => names([key]).map((name) => variableOf({ ...key, name })));
  return Object.keys(env)
    .filter((variable) => variable.startsWith('COGNOMEN_') && !known.includes(variable))
    .map((variable) => {
      const close = nearest(variable.toLowerCase(), known);
      return `the environment variable ${variable} sets no key of this server${close ? `; did you mean ${close}?` : ''}`;
    });
}
