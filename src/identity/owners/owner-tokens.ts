import { createHash } from 'node:crypto';
import type { Random } from '../../platform/random.ts';

/** Bytes of what a browser keeps in its cookie. */
const BYTES = 32;

/** A new secret for a browser's cookie. */
export const newOwnerToken = (random: Random): string => random.bytes(BYTES).toString('base64url');

/** Whether the text of a cookie can be such a secret. */
export const isOwnerToken = (text: string): boolean => /^[\w-]{43}$/.test(text);

const digest = (text: string) => createHash('sha256').update(text, 'utf8').digest('base64url');

/** What the database knows a browser by. */
export const browserOf = (token: string): string => digest(`browser ${token}`);

/** What each form of a browser's page has in it: pages of others know neither this nor the cookie. */
export const formTokenOf = (token: string): string => digest(`form ${token}`);
