import { readdirSync, readFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import path from 'node:path';
import { type Node, parse } from 'acorn';

/** A regular expression of the program, and where it stands. */
export interface Expression {
  readonly file: string;
  readonly source: string;
  readonly flags: string;
}

function* nodes(value: unknown): Generator<Node & Record<string, unknown>> {
  if (Array.isArray(value)) {
    for (const entry of value) yield* nodes(entry);
  } else if (typeof value === 'object' && value !== null) {
    const node = value as Node & Record<string, unknown>;
    if (typeof node.type === 'string') yield node;
    for (const member of Object.values(node)) {
      if (typeof member === 'object' && !(member instanceof RegExp)) yield* nodes(member);
    }
  }
}

/** Every regular expression that stands in the sources, and the files in which one is put together. */
export function expressionsOf(folder: string): { literals: Expression[]; made: string[] } {
  const literals: Expression[] = [];
  const made: string[] = [];
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.ts')) continue;
    const text = stripTypeScriptTypes(readFileSync(path.join(folder, name), 'utf8'));
    for (const node of nodes(parse(text, { ecmaVersion: 'latest', sourceType: 'module' }))) {
      const regex = node['regex'] as { pattern: string; flags: string } | undefined;
      if (node.type === 'Literal' && regex !== undefined) {
        literals.push({ file: name, source: regex.pattern, flags: regex.flags });
      }
      const callee = node['callee'] as { name?: string } | undefined;
      const isCall = node.type === 'NewExpression' || node.type === 'CallExpression';
      if (isCall && callee?.name === 'RegExp') made.push(name);
    }
  }
  return { literals, made };
}
