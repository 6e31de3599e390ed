import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { visibleText } from '../identity/invitations/visible-text.ts';
import type { WaitingInvitation } from '../identity/owners/owner-invitations.ts';
import type { OwnerPage } from '../identity/owners/owner-page.ts';
import type { SeenAddress } from '../identity/owners/owners.ts';
import type { Language } from '../model/languages.ts';
import { PACKAGE_FOLDER } from '../platform/package-folder.ts';
import type { Logo } from './logo.ts';
import { type RenderedPage, strictPolicy } from './pages.ts';
import { type RenderWith, renderJinja } from './templates/jinja.ts';
import type { TemplateValues } from './templates/template.ts';
import type { Catalogues, Words } from './templates/words.ts';

export interface OwnerPagesDependencies {
  readonly catalogues: Catalogues;
  readonly defaultLanguage: Language;
  readonly defaultBrand: string;
  /** Undefined: there is none. */
  readonly logo: Logo | undefined;
  /** Who runs the server. */
  readonly operator: TemplateValues;
  /** Whether phone numbers can be proven. */
  readonly takesNumbers: boolean;
}

type Row = SeenAddress['known'][string][number];

/** What of a row is told beside its date, by where it is kept. Each has its words, `owner.kind_…`. */
const TOLD: Readonly<Record<string, readonly string[]>> = {
  sessions: [],
  messages: ['event', 'mxid'],
  invitations: ['sender', 'room_id'],
  invitation_keys: ['sender'],
  notices: ['homeserver'],
  owner_notices: ['mxid'],
  owner_sessions: [],
  received_deletions: ['origin_server'],
  bindings: ['mxid', 'origin'],
  replication_log: ['mxid'],
  operators_trail: ['action', 'outcome'],
  refused_invitations: [],
};
/** Where the date of a row is, the first of these that it has. */
const DATES = [
  'last_ts',
  'received_ts',
  'created_ts',
  'refused_ts',
  'proven_ts',
  'changed_ts',
  'mailed_ts',
  'modified',
  'ts',
  'at',
];

/** In universal time, as everywhere here. */
const dates = (language: Language) => {
  const format = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeZone: 'UTC' });
  return (time: unknown) => (typeof time === 'number' ? format.format(time) : '');
};

type ShownDate = ReturnType<typeof dates>;

const summary = (place: string, row: Row, shownDate: ShownDate) => ({
  at: shownDate(DATES.map((name) => row[name]).find((value) => typeof value === 'number')),
  said: (TOLD[place] ?? [])
    .map((name) => row[name])
    .filter((value) => value !== null && value !== undefined)
    .map((value) => visibleText(String(value))),
});

const invitation = (one: WaitingInvitation, shownDate: ShownDate, words: Words) => ({
  ...one,
  who: one.senderName ?? (one.sender || words.t('invite.someone')),
  at: shownDate(one.receivedAt),
});

const shown = (one: SeenAddress, shownDate: ShownDate, words: Words) => ({
  ...one,
  name: one.medium === 'msisdn' ? `+${one.address}` : visibleText(one.address),
  binding: one.binding && {
    mxid: visibleText(one.binding.mxid),
    since: shownDate(one.binding.since),
    saidBy: one.binding.saidBy,
  },
  invitations: one.invitations.map((each) => invitation(each, shownDate, words)),
  refused: shownDate(one.refusedSince),
  known: Object.entries(one.known).map(([place, rows]) => ({
    kind: Object.hasOwn(TOLD, place) ? place : 'other',
    rows: rows.map((row) => summary(place, row, shownDate)),
  })),
});

/** Makes the owners' page. It has no scripts, and its forms lead nowhere but here. */
export function ownerPageRenderer(deps: OwnerPagesDependencies) {
  let loaded: Promise<RenderWith> | undefined;
  const template = () => {
    const file = path.join(PACKAGE_FOLDER, 'web/templates/owner.html.j2');
    loaded ??= readFile(file, 'utf8').then(renderJinja);
    return loaded;
  };

  return async (page: OwnerPage): Promise<RenderedPage> => {
    const { language = deps.defaultLanguage, root, formToken, notice, seen } = page;
    const [render, words, hasLogo] = await Promise.all([
      template(),
      deps.catalogues.in(language),
      deps.logo?.read().then(
        () => true,
        () => false,
      ) ?? false,
    ]);
    const shownDate = dates(language);
    const { pending } = seen;
    const html = render(
      {
        ...deps.operator,
        look: deps.defaultBrand === 'vector-im' ? 'element' : 'matrix',
        logo: hasLogo ? `${root}logo` : '',
        at: `${root}cognomen/mine`,
        form_token: formToken,
        notice: notice ?? '',
        numbers: deps.takesNumbers ? 'yes' : 'no',
        pending: pending && {
          medium: pending.medium,
          name: pending.medium === 'msisdn' ? `+${pending.address}` : visibleText(pending.address),
        },
        addresses: seen.addresses.map((one) => shown(one, shownDate, words)),
      },
      words,
    );
    return { html, contentSecurityPolicy: strictPolicy(html, "'self'", hasLogo) };
  };
}
