import { compileJinja } from './jinja.ts';
import { compilePercent } from './percent.ts';
import type { Words } from './words.ts';

/** Values by name. What a template asks for and nobody gives is empty. */
export type TemplateValues = Readonly<Record<string, string>>;

/** A compiled template. */
export type Render = (values: TemplateValues, words: Words) => string;

/** A template that cannot be used; the message names file, line and fault. */
class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

export interface TemplateSource {
  /** For messages. */
  readonly file: string;
  readonly text: string;
  /** Jinja 2, or Python's %-format. */
  readonly syntax: 'jinja' | 'percent';
}

function templateError(file: string, error: unknown): TemplateError {
  const fault = (error instanceof Error ? error.message : String(error))
    .replace('(unknown path)', '')
    .replace(/\s+/g, ' ')
    .trim();
  return new TemplateError(`The template ${file} cannot be used: ${fault}`, { cause: error });
}

/** @throws TemplateError here, or when it is rendered: Jinja looks for filters only then. */
export function compileTemplate({ file, text, syntax }: TemplateSource): Render {
  try {
    const render = syntax === 'jinja' ? compileJinja(text) : compilePercent(text);
    return (values, words) => {
      try {
        return render(values, words);
      } catch (error) {
        throw templateError(file, error);
      }
    };
  } catch (error) {
    throw templateError(file, error);
  }
}
