/** Flame graphs of the profiles that Node left: what runs is as wide as the time it took. */
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; lineNumber: number };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

const WIDTH = 1600;
const ROW = 16;
/** What is narrower is not drawn. */
const THINNEST = 0.5;

const escapeXml = (text: string) =>
  text.replace(/[<>&"]/g, (character) => `&#${character.charCodeAt(0)};`);

function nameOf({ functionName, url, lineNumber }: ProfileNode['callFrame']): string {
  const file = url.replace(/^.*\/(?=(?:dist|node_modules)\/)/, '');
  return `${functionName || '(anonymous)'}${file === '' ? '' : ` ${file}:${lineNumber + 1}`}`;
}

function render({ nodes, samples, timeDeltas }: Profile): string {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const own = new Map<number, number>();
  for (const [i, id] of samples.entries()) own.set(id, (own.get(id) ?? 0) + (timeDeltas[i] ?? 0));
  const totals = new Map<number, number>();
  const totalOf = (id: number): number => {
    const children = byId.get(id)?.children ?? [];
    const total = children.reduce((sum, child) => sum + totalOf(child), own.get(id) ?? 0);
    totals.set(id, total);
    return total;
  };
  const root = nodes[0];
  if (root === undefined) return '';
  // Waiting is not work.
  const idle = nodes.filter(({ callFrame }) => callFrame.functionName === '(idle)');
  for (const { id } of idle) own.delete(id);
  const all = totalOf(root.id);
  const boxes: string[] = [];
  let depth = 0;
  const draw = (id: number, x: number, level: number) => {
    const node = byId.get(id);
    const time = totals.get(id) ?? 0;
    const width = (time / all) * WIDTH;
    if (node === undefined || width < THINNEST) return;
    depth = Math.max(depth, level);
    const name = nameOf(node.callFrame);
    const colour = `hsl(${name.includes('node_modules') ? 30 : name.includes('dist/') ? 140 : 210} 60% ${70 + (id % 4) * 4}%)`;
    const label = name.slice(0, Math.floor(width / 7));
    boxes.push(
      `<g><title>${escapeXml(name)}: ${((time / all) * 100).toFixed(1)} %</title><rect x="${x.toFixed(1)}" y="${level * ROW}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colour}"/><text x="${(x + 2).toFixed(1)}" y="${level * ROW + 11}">${escapeXml(label)}</text></g>`,
    );
    let from = x;
    for (const child of node.children ?? []) {
      draw(child, from, level + 1);
      from += ((totals.get(child) ?? 0) / all) * WIDTH;
    }
  };
  draw(root.id, 0, 0);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${(depth + 1) * ROW}" font-family="monospace" font-size="11">\n${boxes.join('\n')}\n</svg>\n`;
}

/** Draws each profile in the folder beside it. */
export async function renderFlameGraph(folder: string, say: (text: string) => void): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.endsWith('.cpuprofile')) continue;
    const file = path.join(folder, name.replace(/cpuprofile$/, 'svg'));
    await writeFile(file, render(JSON.parse(await readFile(path.join(folder, name), 'utf8'))));
    say(`The flame graph is in ${file}`);
  }
}
