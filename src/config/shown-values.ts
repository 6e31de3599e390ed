import { SECTIONS } from './known-keys.ts';
import type { ReadValue } from './reader.ts';

/** A value of the configuration as it may be shown: nothing secret is in it. */
export interface ShownValue {
  readonly section: string;
  readonly key: string;
  /** Undefined: there is none. */
  readonly value?: string | undefined;
  /** A file, a variable of the environment with `$` before it, or `default`. */
  readonly from: string;
  /** What the key is for. */
  readonly about: string;
}

export const HIDDEN = '(hidden)';

/** A URL without what may stand in it for a user, a password or a token; any other text as it is. */
function openPart(text: string): string {
  const host = text.indexOf('://');
  const query = text.indexOf('?', host);
  const open = host < 0 || query < 0 ? text : `${text.slice(0, query + 1)}${HIDDEN}`;
  return open.replaceAll(/(:\/\/)[^\s/]*@/g, `$1${HIDDEN}@`);
}

/** The same of several, between blanks. */
const withoutSecrets = (text: string) => text.split(/(\s)/).map(openPart).join('');

/** What may be shown of a value. */
const shown = ({ key, value, from }: ReadValue): ShownValue => ({
  section: key.section,
  key: key.name,
  value: key.secret && value && from !== undefined ? HIDDEN : value && withoutSecrets(value),
  from: from ?? 'default',
  about: key.about,
});

export const keyOf = ({ key }: ReadValue): string => `[${key.section}] ${key.name}`;

/** Each of them once, though some are asked for twice. */
export const shownValues = (values: readonly ReadValue[]): ShownValue[] =>
  [...new Map(values.map((value) => [keyOf(value), value])).values()].map(shown);

/** Every key with its default. */
export const shownDefaults = (): ShownValue[] =>
  Object.values(SECTIONS)
    .flat()
    .filter((key) => !key.deprecated)
    // Of the signing key there is none: one is made.
    .map((key) => ({ key, value: key.secret && key.default ? undefined : key.default }))
    .map((value) => shown({ ...value, from: undefined }));

/** Keys whose values stand in a file as they are. */
const RAW = new Set(
  Object.values(SECTIONS)
    .flat()
    .flatMap(({ name, raw }) => (raw ? [name] : [])),
);
const written = (key: string, value: string) =>
  (RAW.has(key) ? value : value.replaceAll('%', '%%')).replaceAll('\n', '\n    ');

/** Values in the form of a configuration file. */
export function asFile(
  all: readonly Pick<ShownValue, 'section' | 'key' | 'value' | 'from'>[],
  tellsOrigin: boolean,
): string {
  const sections = Map.groupBy(all, ({ section }) => section);
  return [...sections]
    .map(([section, values]) => {
      const lines = values.map(({ key, value, from }) => {
        const setting =
          value === undefined ? `# ${key} =` : `${key} = ${written(key, value)}`.trimEnd();
        return tellsOrigin ? `# ${from}\n${setting}` : setting;
      });
      return `[${section}]\n${lines.join('\n')}\n`;
    })
    .join('\n');
}
