import { isObject } from '../signing/json.ts';

/** The JSON object that the text is, in UTF-8; undefined when it is not one. */
export function jsonObject(text: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.toString('utf8'));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
