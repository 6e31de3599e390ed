/** A line of a text, from 1 on; its text is undefined where it is too long, or no UTF-8. */
export interface TextLine {
  readonly number: number;
  readonly text: string | undefined;
}

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/**
 * The lines of a text that comes in portions, without their ends; only one of them is in memory.
 * @param longest bytes of a line that is read
 */
export async function* textLines(
  portions: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  longest: number,
): AsyncGenerator<TextLine> {
  // A mark of the byte order, which stands at the beginning, is left out by the decoder.
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let parts: Uint8Array[] = [];
  let length = 0;
  let number = 0;

  const keep = (part: Uint8Array) => {
    length += part.length;
    if (length <= longest) parts.push(part);
    else parts = [];
  };
  const end = (): TextLine => {
    number++;
    const bytes = length > longest ? undefined : Buffer.concat(parts);
    [parts, length] = [[], 0];
    return { number, text: bytes && decode(bytes) };
  };
  const decode = (bytes: Buffer) => {
    const isMarked = bytes.at(-1) === CARRIAGE_RETURN;
    try {
      return decoder.decode(isMarked ? bytes.subarray(0, -1) : bytes);
    } catch {
      return undefined;
    }
  };

  for await (const portion of portions) {
    let from = 0;
    for (let to = portion.indexOf(LINE_FEED); to >= 0; to = portion.indexOf(LINE_FEED, from)) {
      keep(portion.subarray(from, to));
      yield end();
      from = to + 1;
    }
    if (from < portion.length) keep(portion.subarray(from));
  }
  if (length > 0) yield end();
}
