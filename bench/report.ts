/** What a run found: as a table, as a chart, and against what was found before. */
import type { Measured } from './measure.ts';

export interface Run {
  readonly engine: 'sqlite' | 'postgres';
  readonly associations: number;
  /** To take over a database as Sydent leaves it, and to start on it later. */
  readonly seconds: { readonly adoption: number; readonly start: number };
  /** Of the server: after its start, and at most. */
  readonly mib: { readonly idle: number | undefined; readonly most: number | undefined };
  /** Milliseconds that a lookup of 10,000 holds up a ping. */
  readonly pingHeldUp: number;
  readonly measured: readonly Measured[];
}

export interface Results {
  readonly node: string;
  readonly cpu: string;
  readonly runs: readonly Run[];
}

const ENGINE_NAMES = { sqlite: 'SQLite', postgres: 'PostgreSQL' } as const;
const number = (value: number | undefined, digits = 0) =>
  value === undefined || Number.isNaN(value)
    ? '–'
    : value.toLocaleString('en', { maximumFractionDigits: digits, minimumFractionDigits: digits });

const COLUMNS = ['', 'of bare', 'to reach', 'a second', 'µs of CPU', 'ms: median', '99 %'];

function rows({ measured }: Run): string[][] {
  return measured.map((row) => [
    row.work,
    number(row.ratio, 3),
    number(row.reach, 3),
    number(row.rate),
    number(row.processor),
    number(row.median, 1),
    number(row.slowest, 1),
  ]);
}

/** Columns of a table, in a text of fixed width. */
function align(lines: readonly string[][]): string {
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0)));
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0)))
        .join('  '),
    )
    .join('\n');
}

export function table({ runs, node, cpu }: Results): string {
  const parts = runs.map((run) => {
    const { engine, associations, seconds, mib, pingHeldUp } = run;
    return `
${ENGINE_NAMES[engine]}, ${number(associations)} associations: taken over in ${number(seconds.adoption, 1)} s, start ${number(seconds.start, 2)} s, memory ${number(mib.idle)} to ${number(mib.most)} MiB, a ping held up by ${number(pingHeldUp, 1)} ms

${align([COLUMNS, ...rows(run)])}
`;
  });
  return `${parts.join('')}\nNode ${node}, ${cpu}: one core for the server, one for the load`;
}

/** Worse by more than this share is worse: machines vary. */
const TOLERANCE = 0.2;

/** What is worse than it was, in words; nothing where all is well. */
export function compare(now: Results, before: Results): string[] {
  return now.runs.flatMap((run) => {
    const old = before.runs.find(
      ({ engine, associations }) => engine === run.engine && associations === run.associations,
    );
    return run.measured.flatMap(({ work, ratio }) => {
      const was = old?.measured.find((row) => row.work === work)?.ratio;
      return was === undefined || ratio >= was * (1 - TOLERANCE)
        ? []
        : [
            `${run.engine}, ${run.associations}: ${work} ${ratio.toFixed(3)}, was ${was.toFixed(3)}`,
          ];
    });
  });
}

const BAR = { height: 14, gap: 8, left: 270, width: 380 };
const COLOURS = { sqlite: '#2f6f4f', postgres: '#31648c' } as const;

/** Bars for the shares of the bare server's rate, on 100,000 associations where those were measured. */
export function chart({ runs }: Results): string {
  const size = runs.some(({ associations }) => associations === 100_000)
    ? 100_000
    : runs[0]?.associations;
  const shown = runs.filter(({ associations }) => associations === size);
  const names = [...new Set(shown.flatMap(({ measured }) => measured.map(({ work }) => work)))];
  const lines: string[] = [];
  let y = 34;
  for (const name of names) {
    lines.push(`<text x="${BAR.left - 8}" y="${y + 11}" text-anchor="end">${name}</text>`);
    for (const { engine, measured } of shown) {
      const row = measured.find(({ work }) => work === name);
      if (row === undefined) continue;
      const width = Math.max(1, Math.min(1, row.ratio) * BAR.width);
      lines.push(
        `<rect x="${BAR.left}" y="${y}" width="${width.toFixed(1)}" height="${BAR.height}" fill="${COLOURS[engine]}"/>`,
        `<text x="${(BAR.left + width + 6).toFixed(1)}" y="${y + 11}">${row.ratio.toFixed(2)} · ${number(row.rate)}/s</text>`,
      );
      y += BAR.height + 2;
    }
    y += BAR.gap;
  }
  const legend = shown.map(
    ({ engine }, i) =>
      `<rect x="${BAR.left + i * 110}" y="8" width="12" height="12" fill="${COLOURS[engine]}"/><text x="${BAR.left + 18 + i * 110}" y="18">${ENGINE_NAMES[engine]}</text>`,
  );
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${BAR.left + BAR.width + 120}" height="${y + 8}" font-family="sans-serif" font-size="12" fill="#222">
<title>Answers a second, as shares of what Node's bare HTTP server gives on the same core; ${number(size)} associations</title>
<rect width="100%" height="100%" fill="#fff"/>
<g fill="#222">${legend.join('')}</g>
<line x1="${BAR.left + BAR.width}" y1="28" x2="${BAR.left + BAR.width}" y2="${y}" stroke="#999" stroke-dasharray="3 3"/>
<text x="${BAR.left + BAR.width}" y="18" text-anchor="middle">bare = 1</text>
${lines.join('\n')}
</svg>
`;
}
