import { hostNames } from '../platform/hostname.ts';
import type { Environment } from './sources.ts';

/** What this machine and the environment of this process say where the configuration is silent. */
export const surroundings = (): Environment => ({ env: process.env, ...hostNames() });
