/**
 * A test as rows name it: `api/conventions > missing ones are named` is the test of that name, or a case
 * of it, in test/api/conventions.test.ts.
 */
export type TestName = `${string} > ${string}`;

/** One thing that Sydent does, and what became of it. */
export interface Row {
  readonly is: 'same' | 'better' | 'different';
  /** What Sydent 2.7 does. */
  readonly sydent: string;
  /** What Cognomen does; undefined where it is the same. */
  readonly here: string | undefined;
  readonly why: string;
  readonly tests: readonly TestName[];
}

/** Rows under the name of what they are about. */
export type Rows = Readonly<Record<string, readonly Row[]>>;

/** It does what Sydent does. */
export const same = (sydent: string, ...tests: readonly TestName[]): Row => ({
  is: 'same',
  sydent,
  here: undefined,
  why: '',
  tests,
});

/** It does what Sydent was meant to do, or more of it. */
export const better = (
  sydent: string,
  here: string,
  why: string,
  ...tests: readonly TestName[]
): Row => ({ is: 'better', sydent, here, why, tests });

/** Whoever relies on what Sydent does has to change something. */
export const different = (
  sydent: string,
  here: string,
  why: string,
  ...tests: readonly TestName[]
): Row => ({ is: 'different', sydent, here, why, tests });

/** Where a test stands, from the root of the repository. */
export function fileOf(test: TestName): string {
  const [file] = test.split(' > ');
  return `test/${file}.test.ts`;
}

/** The name that the test's file must hold. */
export const titleOf = (test: TestName): string => test.slice(test.indexOf(' > ') + 3);

function links(tests: readonly TestName[]): string {
  const files = [...new Set(tests.map(fileOf))];
  return files
    .map((file, index) => `[${files.length === 1 ? 'test' : index + 1}](../${file})`)
    .join(' ');
}

/** The Markdown table of the rows. */
export function table(head: string, rows: Rows, name: (key: string) => string = (key) => key) {
  const lines = Object.entries(rows).flatMap(([key, about]) =>
    about.map(({ is, sydent, here, why, tests }, index) => {
      const first = index === 0 ? name(key) : '';
      const cognomen = here === undefined ? `**${is}**` : `**${is}**: ${here}`;
      return `| ${first} | ${sydent} | ${cognomen} | ${why} | ${links(tests)} |`;
    }),
  );
  return [`| ${head} | Sydent 2.7 | Cognomen | why | |`, '|---|---|---|---|---|', ...lines].join(
    '\n',
  );
}
