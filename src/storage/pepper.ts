import type { Random } from '../platform/random.ts';

/** Sydent's had five letters, which anyone can try out; a long one is worth nothing without the server. */
const LENGTH = 32;

export const newPepper = (random: Random): string => random.alphanumeric(LENGTH);
