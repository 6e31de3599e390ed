import { yieldToEventLoop } from '../../platform/yield-to-event-loop.ts';
import { ApiError, badJson } from './errors.ts';

/** The most that a body may hold. */
export interface JsonLimits {
  readonly depth: number;
  readonly members: number;
  /** Lists and objects. */
  readonly lists: number;
  /** Commas: what stands in them, but for the first. */
  readonly items?: number;
}

/** Nobody means to send more, and while it is parsed everybody else waits; `bulk_lookup` has a list for each address. */
const LIMITS: JsonLimits = { depth: 100, members: 1000, lists: 50_000 };

const UTF8 = new TextDecoder('utf-8', { fatal: true });

const QUOTE = 0x22;
const COLON = 0x3a;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPENING = new Set([0x5b, 0x7b]);
const CLOSING = new Set([0x5d, 0x7d]);

/** Where the string that begins there ends. */
function endOfString(text: Buffer, start: number): number {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === QUOTE) return i;
    if (text[i] === BACKSLASH) i++;
  }
  return text.length;
}

function refuseCostly(text: Buffer, most: JsonLimits): void {
  let depth = 0;
  let members = 0;
  let lists = 0;
  let items = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i] ?? 0;
    if (byte === QUOTE) i = endOfString(text, i);
    else if (byte === COLON) members++;
    else if (byte === COMMA) items++;
    else if (CLOSING.has(byte)) depth--;
    else if (OPENING.has(byte)) {
      depth++;
      lists++;
    }
    if (depth > most.depth) throw badJson('The request body is nested too deeply');
    if (members > most.members || lists > most.lists || items > (most.items ?? items))
      throw badJson('The request body holds too much');
  }
}

/**
 * A request body as JSON, in UTF-8.
 * @throws ApiError `M_BAD_JSON`, also for what would take long to parse
 */
export function parseJson(
  body: Buffer = Buffer.alloc(0),
  most = LIMITS,
  parse: (text: string) => unknown = JSON.parse,
): unknown {
  refuseCostly(body, most);
  try {
    return parse(UTF8.decode(body));
  } catch (cause) {
    throw new ApiError(400, 'M_BAD_JSON', 'The request body is not JSON', { cause });
  }
}

/** So many members are written before others get their turn. */
const BATCH = 500;

/** The JSON of an object whose members are all texts: for many, which would take long to be made an object first. */
export async function jsonOfTexts(
  members: Iterable<readonly [name: string, value: string]>,
): Promise<string> {
  // Of each batch one text, so that what it was made from is gone by the next.
  const batches: string[] = [];
  let batch: string[] = [];
  for (const [name, value] of members) {
    if (batch.push(`${JSON.stringify(name)}:${JSON.stringify(value)}`) < BATCH) continue;
    batches.push(batch.join(','));
    batch = [];
    await yieldToEventLoop();
  }
  if (batch.length > 0) batches.push(batch.join(','));
  return `{${batches.join(',')}}`;
}
