import type { Random } from './random.ts';

/** 190 bits. Sydent's had five letters, which anyone can try out; a long one is worth nothing without the server. */
const LENGTH = 32;

export const newPepper = (random: Random): string => random.alphanumeric(LENGTH);
