import type { TemplateKind } from './brands.ts';
import type { TemplateValues } from './template.ts';

/** Values to try a template with, and to show it by. */
export interface Sample {
  readonly name: string;
  readonly kind: TemplateKind;
  readonly values: TemplateValues;
}

const LINK =
  'https://id.example.org/_matrix/identity/v2/validate/email/submitToken?token=gNDqJ7cXzPv3TfWk9RbYh2LmS5aEo8Uu&client_secret=c5e1&sid=42';

const MAIL = {
  messageid: '<sample@id.example.org>',
  date: 'Thu, 01 Jan 2026 00:00:00 +0000',
  to: 'grace@example.org',
  from: 'Example <noreply@id.example.org>',
  multipart_boundary: '=_sample',
};

const INVITATION = {
  ...MAIL,
  subject_header_value: 'Ada has invited you to chat',
  token: 'sample',
  ephemeral_private_key: 'sample',
  signurl: 'https://id.example.org/_matrix/identity/v2/sign-ed25519?token=sample&private_key=x',
  medium: 'email',
  address: 'grace@example.org',
  room_id: '!tea:example.org',
  room_name: 'Tea at four',
  room_type: '',
  room_alias: '#tea:example.org',
  room_join_rules: 'invite',
  room_avatar_url: 'mxc://example.org/tea',
  sender: '@ada:example.org',
  sender_display_name: 'Ada Lovelace',
  sender_avatar_url: 'mxc://example.org/ada',
  verified_sender: '@ada:example.org',
  bracketed_verified_sender: '(@ada:example.org) ',
  bracketed_room_name: '(Tea at four) ',
  web_client_location: 'https://app.element.io',
  web_client_host: 'app.element.io',
  valid_days: '90',
  refuse_url: 'https://id.example.org/_matrix/identity/cognomen/refuse-invitations?token=sample',
};

const NOTICE = {
  ...MAIL,
  address: 'grace@example.org',
  mxid: '@grace:example.org',
  new_mxid: '',
  new_homeserver: '',
  homeserver: '',
  changed: '1 January 2026 at 12:00 UTC',
  changes: '1',
  since: '1 January 2026 at 12:00 UTC',
};

const PAGE = {
  medium: 'email',
  shown_address: 'g…e@example.org',
  message: 'Your email address is confirmed. You can close this page and go back to your app.',
  logo: '',
  reason: 'wrong',
};

export const SAMPLES: readonly Sample[] = [
  {
    name: 'verification',
    kind: 'verification',
    values: {
      ...MAIL,
      link: LINK,
      code: 'R7KX3MPW',
      token: 'gNDqJ7cXzPv3TfWk9RbYh2LmS5aEo8Uu',
      ipaddress: '192.0.2.1',
      client_address: '192.0.2.1',
      valid_hours: '24',
    },
  },
  {
    name: 'owner-code',
    kind: 'owner_code',
    values: { ...MAIL, code: 'R7KX3MPW', client_address: '192.0.2.1' },
  },
  { name: 'invitation', kind: 'invite', values: INVITATION },
  {
    name: 'invitation-to-a-space',
    kind: 'invite',
    values: {
      ...INVITATION,
      room_type: 'm.space',
      room_name: '',
      bracketed_room_name: '',
      sender_display_name: '',
    },
  },
  {
    name: 'owner-notice-bound',
    kind: 'notice',
    values: {
      ...NOTICE,
      new_mxid: '@mallory:example.net',
      new_homeserver: 'example.net',
      changes: '12',
    },
  },
  { name: 'owner-notice-unbound', kind: 'notice', values: NOTICE },
  {
    name: 'owner-notice-unbound-by-homeserver',
    kind: 'notice',
    values: { ...NOTICE, homeserver: 'example.org' },
  },
  { name: 'migration', kind: 'migration', values: { ...MAIL, mxid: '@grace:example.org' } },
  { name: 'confirm', kind: 'confirm', values: { ...PAGE, outcome: 'ask', action: '#' } },
  {
    name: 'refuse-invitations',
    kind: 'confirm',
    values: { ...PAGE, shown_address: '', outcome: 'refuse', action: '#' },
  },
  ...['proven', 'expired', 'failed', 'refused'].map(
    (outcome): Sample => ({ name: outcome, kind: 'page', values: { ...PAGE, outcome } }),
  ),
];
