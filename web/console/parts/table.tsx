import type { ComponentChildren } from 'preact';
import { TEXTS } from '../texts.ts';

interface TableProps {
  readonly caption: string;
  readonly head: readonly string[];
  /** The first of each row says what it is about; numbers stand behind it. */
  readonly rows: readonly (readonly ComponentChildren[])[];
}

/** What is compared line by line. */
export const Table = ({ caption, head, rows }: TableProps) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reached by the keyboard
  <section class="table" tabIndex={0} aria-label={TEXTS.tableOf(caption)}>
    <table>
      <caption class="hidden">{caption}</caption>
      <thead>
        <tr>
          {head.map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(([first, ...others], row) => (
          <tr key={row}>
            <th scope="row">{first}</th>
            {others.map((cell, column) => (
              <td key={column}>{cell}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  </section>
);
