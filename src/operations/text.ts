/** A time of a result as people read it; what is none, as an old row may have it, as it is. */
export function time(milliseconds: number | undefined): string {
  if (milliseconds === undefined) return 'never';
  const date = new Date(milliseconds);
  return Number.isNaN(date.getTime()) ? plain(String(milliseconds)) : date.toISOString();
}

/** What comes from others, without what a terminal would obey. */
export const plain = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}]/gu, '?');

/** A line for each, or what is said where there is none. */
export const lines = <T>(all: readonly T[], line: (one: T) => string, none: string): string =>
  all.length === 0 ? none : all.map(line).join('\n');
