import { compileJinja } from './jinja.ts';
import { compilePercent } from './percent.ts';

/** Values by name. What a template asks for and nobody gives is empty. */
export type TemplateValues = Readonly<Record<string, string>>;

/** A compiled template. */
export type Render = (values: TemplateValues) => string;

/** A template that cannot be used; the message names file, line and fault. */
export class TemplateError extends Error {
  override readonly name = 'TemplateError';
}

export interface TemplateSource {
  /** For messages. */
  readonly file: string;
  readonly text: string;
  /** Jinja 2, or Python's %-format. */
  readonly syntax: 'jinja' | 'percent';
}

/** @throws TemplateError */
export function compileTemplate(source: TemplateSource): Render {
  try {
    return source.syntax === 'jinja' ? compileJinja(source.text) : compilePercent(source.text);
  } catch (error) {
    const fault = error instanceof Error ? error.message : String(error);
    throw new TemplateError(`The template ${source.file} cannot be used: ${fault}`, {
      cause: error,
    });
  }
}
