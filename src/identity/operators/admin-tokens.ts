import { hash } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { Random } from '../../platform/random.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import type { AdminRole, AdminTokenRow, Storage } from '../../storage/stores/index.ts';
import type { Operator } from './operator.ts';

/** Tells them from all other tokens, also for those who look for secrets that got lost. */
const PREFIX = 'cognomen_admin_';
const LENGTH = 43;
const PATTERN = new RegExp(`^${PREFIX}[A-Za-z0-9]{${LENGTH}}$`);
const ID_LENGTH = 8;
/** More than anyone has tools. */
const MOST = 500;
/** A token's last use is noted this precisely: most requests write nothing. */
const USE_PRECISION = 60 * 60 * 1000;

/** Nobody can try 256 bits; so the time that finding the hash takes tells nothing. */
const hashed = (token: string) => hash('sha256', token, 'base64url');

/** Whether it looks like a token of the admin API: all others may be the provider's. */
export const isAdminToken = (token: string): boolean => token.startsWith(PREFIX);

export interface NewAdminToken extends AdminTokenRow {
  /** Shown once: nobody can read it from the database. */
  readonly token: string;
}

/** @returns undefined where there are as many as there may be */
export async function createAdminToken(
  { storage, clock, random }: Dependencies & { readonly random: Random },
  { role, name, lifetime }: { role: AdminRole; name: string; lifetime: number },
): Promise<NewAdminToken | undefined> {
  const token = PREFIX + random.alphanumeric(LENGTH);
  const createdAt = clock.now();
  const row: AdminTokenRow = {
    id: random.alphanumeric(ID_LENGTH),
    role,
    name,
    createdAt,
    expiresAt: createdAt + lifetime,
    lastUsedAt: undefined,
  };
  const added = await storage.transaction(({ adminTokens }) =>
    adminTokens.add({ ...row, hash: hashed(token) }, MOST),
  );
  return added ? { ...row, token } : undefined;
}

interface Dependencies {
  readonly storage: Pick<Storage, 'stores' | 'transaction'>;
  readonly clock: Clock;
}

/** While nothing can be written, operators are to get in all the same: to see why. */
async function noteUse({ stores }: Dependencies['storage'], id: string, now: number) {
  try {
    await stores.adminTokens.used(id, now);
  } catch (error) {
    if (!(error instanceof UnavailableError)) throw error;
  }
}

/**
 * Whose token it is; undefined where it is none, was revoked, or has ended. Asks the database each time, so that one that
 * is revoked works nowhere any more.
 */
export async function operatorByToken(
  { storage, clock }: Dependencies,
  token: string,
): Promise<Pick<Operator, 'who' | 'role'> | undefined> {
  if (!PATTERN.test(token)) return undefined;
  const found = await storage.stores.adminTokens.find(hashed(token));
  const now = clock.now();
  if (found === undefined || found.expiresAt <= now) return undefined;
  const { id, role, name, lastUsedAt } = found;
  if (lastUsedAt === undefined || now >= lastUsedAt + USE_PRECISION) {
    await noteUse(storage, id, now);
  }
  return { role, who: name === '' ? `token ${id}` : `token ${id} ${name}` };
}
