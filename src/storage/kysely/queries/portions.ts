/** Rows written or deleted by one statement. */
const MAX_ROWS = 64;

/** Portions in powers of two: few different statements, which stay prepared. */
export function* portions<T>(items: readonly T[]): Generator<readonly T[]> {
  for (let from = 0, size = MAX_ROWS; from < items.length; ) {
    while (size > items.length - from) size /= 2;
    yield items.slice(from, from + size);
    from += size;
  }
}
