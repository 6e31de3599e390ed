import { boolean, days, hours, type Key } from '../keys.ts';
import type { ConfigReader } from '../reader.ts';

/** Whom this server tells of bindings. */
export interface NoticesConfig {
  /** Milliseconds after which a notice that its homeserver never took is given up. */
  readonly noticeLifetime: number;
  /** Milliseconds after which a notice that its homeserver refuses again and again is given up. */
  readonly refusedNoticeLifetime: number;
  /** Whether owners of addresses are told by mail of what becomes of their bindings. */
  readonly ownerNotices: boolean;
}

const section = 'general';

/** Keys of `[general]`. */
export const NOTICES = {
  noticeLifetime: {
    section,
    name: 'onbind.give_up_after_days',
    default: '7',
    parse: days,
    own: true,
    about:
      'For how many days a homeserver that cannot be reached is told again of a binding of one of its users.',
  },
  refusedNoticeLifetime: {
    section,
    name: 'onbind.give_up_refused_after_hours',
    default: '24',
    parse: hours,
    own: true,
    about:
      'For how many hours an invitation that the homeserver of the bound user refuses is offered to it again. 0: one refusal is enough.',
  },
  ownerNotices: {
    section,
    name: 'owner_notices',
    default: 'false',
    firstStart: 'true',
    parse: boolean,
    own: true,
    about:
      'Whether an email address gets a mail when an app or a homeserver has bound it to another user, or unbound it: 3 a day at most, further changes are told together.',
  },
} satisfies Record<string, Key<unknown>>;

export const readNotices = (reader: ConfigReader): NoticesConfig => ({
  noticeLifetime: reader.read(NOTICES.noticeLifetime),
  refusedNoticeLifetime: reader.read(NOTICES.refusedNoticeLifetime),
  ownerNotices: reader.read(NOTICES.ownerNotices),
});
