/** The eight parts of an IPv6 address in whatever spelling; a zone is left out. */
export function hextets(address: string): number[] {
  const parts = (text: string) =>
    text === ''
      ? []
      : text.split(':').flatMap((part) => {
          if (!part.includes('.')) return [Number.parseInt(part, 16)];
          const [a = 0, b = 0, c = 0, d = 0] = part.split('.').map(Number);
          return [a * 256 + b, c * 256 + d];
        });
  const [left = '', right] = (address.split('%', 1)[0] ?? '').split('::');
  const head = parts(left);
  if (right === undefined) return head;
  const tail = parts(right);
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

/** The IPv4 address that two parts stand for. */
export const dotted = (high = 0, low = 0) => `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;

export const beginsWith = (parts: readonly number[], start: readonly number[]) =>
  start.every((part, index) => parts[index] === part);

/** How the IPv4-mapped addresses begin. */
export const MAPPED = [0, 0, 0, 0, 0, 0xffff];
