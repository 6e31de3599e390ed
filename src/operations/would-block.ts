import { blockedBy } from '../identity/invitations/invitation-rules.ts';
import { hasBlockedWord } from '../identity/invitations/invitation-text.ts';
import { foldCase } from '../model/case-folding.ts';
import {
  aList,
  anInteger,
  anObject,
  aString,
  aWordOf,
  type Described,
  describedAs,
} from '../model/json-schema.ts';
import type { InviteGist } from '../storage/stores/index.ts';
import { InputError, type Operation, type OperationInput } from './operation.ts';
import { lines, plain, time } from './text.ts';

const DAYS = 7;
/** Rules of a kind, and characters of each: what they are tried on may be many. */
const MOST = { rules: 100, length: 255 };
const EXAMPLES = 20;

const BY = aWordOf('homeserver', 'room', 'keyword');
const TRIED = anObject({
  days: anInteger,
  invitations: describedAs('Those of these days that are still kept', anInteger),
  blocked: anInteger,
  by: anObject({ homeserver: anInteger, room: anInteger, keyword: anInteger }),
  texts: describedAs('So many have their texts kept, on which keywords were tried', anInteger),
  examples: aList(anObject({ sender: aString, room_id: aString, received_at: anInteger, by: BY })),
});
type Tried = Described<typeof TRIED>;
type By = Described<typeof BY>;

/** One a line, or between commas. @throws InputError */
function rulesOf({ options }: OperationInput, name: string): string[] {
  const rules = (options[name] ?? '')
    .split(/[\n,]/)
    .map((rule) => rule.trim())
    .filter((rule) => rule !== '');
  if (rules.length > MOST.rules) throw new InputError(`at most ${MOST.rules} can be tried`, name);
  if (rules.some((rule) => rule.length > MOST.length)) {
    throw new InputError(`each may have ${MOST.length} characters at most`, name);
  }
  return rules;
}

const option = (name: string, about: string) =>
  ({ name, about: `${about}, one a line or between commas`, isList: true }) as const;

/** The texts of the mail, as far as they are no secret. */
const textsIn = ({ mail }: InviteGist): ReadonlyMap<string, string> =>
  new Map(
    Object.entries((JSON.parse(mail ?? '{}') as { texts?: Record<string, string> }).texts ?? {}),
  );

/** What block lists would have kept back, tried on the invitations of the last days that are still kept. */
export const wouldBlock: Operation<Tried> = {
  resource: 'invites',
  action: 'would-block',
  kind: 'person',
  summary: `What block lists would have kept back of the invitations of the last ${DAYS} days that are still kept; changes nothing`,
  options: {
    homeservers: option('NAMES', 'As in email.third_party_invite_homeserver_blocklist'),
    rooms: option('IDS', 'As in email.third_party_invite_room_blocklist'),
    keywords: option('WORDS', 'As in email.third_party_invite_keyword_blocklist'),
  },
  result: TRIED,
  async run(input, { storage, clock }) {
    const places = {
      homeserverBlocklist: rulesOf(input, 'homeservers').map((name) => name.toLowerCase()),
      roomBlocklist: rulesOf(input, 'rooms'),
    };
    const keywords = rulesOf(input, 'keywords').map(foldCase);
    const by = { homeserver: 0, room: 0, keyword: 0 };
    const examples: { sender: string; room_id: string; received_at: number; by: By }[] = [];
    let [invitations, texts] = [0, 0];
    const see = (invite: InviteGist) => {
      const { sender, roomId, receivedAt, mail } = invite;
      if (receivedAt === undefined) return;
      invitations++;
      if (mail !== undefined) texts++;
      const place = blockedBy(places, invite);
      const hasWord = place === undefined && hasBlockedWord(textsIn(invite), keywords, foldCase);
      const rule = place ?? (hasWord ? 'keyword' : undefined);
      if (rule === undefined) return;
      by[rule]++;
      if (examples.length < EXAMPLES) {
        examples.push({ sender, room_id: roomId, received_at: receivedAt, by: rule });
      }
    };
    const since = clock.now() - DAYS * 24 * 60 * 60 * 1000;
    const withMail = keywords.length > 0;
    await storage.stores.overview.eachInvite({ since, withMail }, async (some) => {
      for (const invite of some) see(invite);
    });
    const blocked = by.homeserver + by.room + by.keyword;
    return { days: DAYS, invitations, blocked, by, texts, examples };
  },
  text: ({ days, invitations, blocked, examples }) =>
    [
      `${blocked} of ${invitations} invitations of the last ${days} days`,
      lines(
        examples,
        (one) =>
          `${time(one.received_at)}  by ${plain(one.sender)} to ${plain(one.room_id)}  (${one.by})`,
        'none',
      ),
    ].join('\n'),
};
