import { createAdminToken } from '../identity/operators/admin-tokens.ts';
import {
  aBoolean,
  aList,
  anInteger,
  anObject,
  aString,
  type Described,
  named,
} from '../model/json-schema.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { AdminTokenRow } from '../storage/stores/index.ts';
import { wholeNumber } from './input.ts';
import { InputError, type Operation } from './operation.ts';
import { lines, plain, time } from './text.ts';

const DAY = 24 * 60 * 60 * 1000;
const LONGEST_NAME = 100;
const USUAL_DAYS = 90;

const MEMBERS = {
  id: aString,
  role: aString,
  name: aString,
  created_at: anInteger,
  expires_at: anInteger,
};

const USED = { last_used_at: anInteger };

/** A token of the admin API, but for itself; times in milliseconds. */
const SEEN = named('AdminToken', anObject(MEMBERS, USED));
type SeenToken = Described<typeof SEEN>;

const seen = (row: AdminTokenRow): SeenToken => ({
  id: row.id,
  role: row.role,
  name: row.name,
  created_at: row.createdAt,
  expires_at: row.expiresAt,
  last_used_at: row.lastUsedAt,
});

/** Makes a token; it is shown this once. */
export const createToken: Operation<SeenToken & { readonly token: string }> = {
  resource: 'admin-token',
  about: 'Tokens of the admin API',
  action: 'create',
  kind: 'change',
  commandOnly: true,
  summary: 'Makes a token for the admin API, and shows it this once',
  options: {
    role: { name: 'viewer|operator', about: 'viewer: may look only; operator: may do all' },
    name: { name: 'NAME', about: 'For whom or what it is' },
    'expires-days': { name: 'N', about: `It works for so many days; ${USUAL_DAYS} without this` },
  },
  result: anObject({ ...MEMBERS, token: aString }, USED),
  async run({ options }, context) {
    const { role, name = '' } = options;
    if (role !== 'viewer' && role !== 'operator') {
      throw new InputError('the role must be viewer or operator: --role', 'role');
    }
    const isName = /^[^\p{C}]*$/u.test(name) && name.length <= LONGEST_NAME;
    if (!isName) throw new InputError('the name is too long, or not plain text', 'name');
    const days = wholeNumber('expires-days', options['expires-days'] ?? `${USUAL_DAYS}`, 3650);
    if (days === 0) throw new InputError('expires-days must be 1 or more', 'expires-days');
    const created = await createAdminToken(context, { role, name, lifetime: days * DAY });
    if (created === undefined) {
      throw new OperatorError('There are too many tokens; revoke some: cognomen admin-token list');
    }
    return { ...seen(created), token: created.token };
  },
  text: ({ id, token, role, expires_at: end }) =>
    `${token}\nNobody can show it again. Its id is ${id}; role ${role}, until ${time(end)}`,
};

/** Which tokens there are. */
export const listTokens: Operation<readonly SeenToken[]> = {
  resource: 'admin-token',
  action: 'list',
  kind: 'overview',
  operatorsOnly: true,
  summary: 'The tokens of the admin API',
  result: aList(SEEN),
  run: async (_input, { storage }) => (await storage.stores.adminTokens.list()).map(seen),
  text: (all) =>
    lines(
      all,
      (one) =>
        `${one.id}  ${one.role}  ${plain(one.name)}  until ${time(one.expires_at)}, last used ${time(one.last_used_at)}`,
      'none',
    ),
};

/** Ends a token. */
export const revokeToken: Operation<{ readonly revoked: boolean }> = {
  resource: 'admin-token',
  action: 'revoke',
  kind: 'change',
  summary: 'Ends a token of the admin API, at once',
  argument: { name: 'ID', about: 'As admin-token list shows it', required: true },
  result: anObject({ revoked: aBoolean }),
  run: async ({ argument = '' }, { storage }) => ({
    revoked: await storage.transaction(({ adminTokens }) => adminTokens.remove(argument)),
  }),
  text: ({ revoked }) => (revoked ? 'revoked' : 'there is no such token'),
  found: ({ revoked }) => revoked,
};
