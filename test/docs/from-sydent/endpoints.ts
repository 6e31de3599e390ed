import { better, different, type Rows, same } from './row.ts';

/** Each endpoint of the client API in both of its versions, by method and path under the version’s root. */
export const ENDPOINTS: Readonly<Record<string, Rows>> = {
  'The server itself': {
    'GET /versions': [
      same(
        '`{"versions": […]}`',
        'api/conventions > the API roots answer a ping, and the versions are those served',
      ),
      better(
        'ends at v1.5',
        'up to v1.19; the releases before v1.1 only while version 1 is served',
        'it says what is there',
        'api/version-2 > has none of version 1 but its keys',
        'api/every-row > the API’s root, the versions, and the long-term key',
      ),
    ],
    'GET /': [
      same(
        '`{}`',
        'api/conventions > the API roots answer a ping, and the versions are those served',
      ),
    ],
    'GET /health': [
      better(
        'is not there',
        '200 while the database answers, else 503; at the root of the listener',
        'for supervisors and load balancers',
        'api/main-job > what was bound is there after a restart',
      ),
    ],
    'GET /ready': [
      better(
        'is not there',
        'the same as `GET /health`',
        'load balancers ask by either name',
        'api/main-job > what was bound is there after a restart',
      ),
    ],
    'GET /openapi.json': [
      better(
        'is not there',
        'the API’s description',
        'whoever writes a client reads it from the server',
        'api/openapi > is an OpenAPI document',
      ),
    ],
  },
  Keys: {
    'GET /pubkey/{keyId}': [
      same(
        '`{"public_key"}` in unpadded base64; the id may be percent-encoded',
        'api/conventions > are found by id, percent-encoded or not, in both versions',
      ),
      better(
        'serves the key as `ed25519:0` only, whatever id it signs with; of another id there is nothing, in HTML',
        'under both ids, and the keys of `ed25519.old_keys` under theirs; 404 `M_NOT_FOUND` for others',
        'every signature can be checked, those of earlier keys too',
        'api/conventions > a key of another version is served under its id and as ed25519:0, old ones under theirs',
        'api/every-row > the API’s root, the versions, and the long-term key',
      ),
      better(
        'gone with `enable_v1_access = false`',
        'stays in version 1, with the two below',
        'rooms hold these URLs',
        'api/conventions > without v1 its keys stay, and links go to v2',
      ),
    ],
    'GET /pubkey/isvalid': [
      same(
        '`{"valid"}`: whether it is the key that signs',
        'api/every-row > the API’s root, the versions, and the long-term key',
      ),
      better(
        'compares the text as it came; only the one key',
        'both base64 alphabets, and a `+` that came as a space; old keys stay valid',
        'clients do not all encode it; a change of key breaks no room',
        'api/conventions > are valid in either alphabet',
        'api/conventions > a key of another version is served under its id and as ed25519:0, old ones under theirs',
      ),
    ],
    'GET /pubkey/ephemeral/isvalid': [
      same(
        '`{"valid"}`: whether it is the key of an invitation; keys that Sydent made stay valid for ever',
        'api/store-invite > is stored, mailed and signed for',
        'storage/sydent-data > everything Sydent 2.7 knew is known',
      ),
      different(
        'valid for ever',
        'keys made here are valid until 30 days after delivery or expiry (`email.invite.key_grace_days`)',
        'a key that nobody needs is of use to nobody but a thief; homeservers ask during and right after delivery',
        'api/store-invite > that nobody takes up is deleted in time, and its key later',
      ),
    ],
  },
  'Terms and accounts': {
    'GET /terms': [
      same(
        '`{"policies": {name: {"version", language: {"name", "url"}}}}`, without a token; none: `{"policies": {}}`',
        'api/terms > are shown without a token',
        'api/terms > without a file there is nothing to accept',
      ),
    ],
    'POST /terms': [
      same(
        '`{"user_accepts": […]}`; one language of each document is enough; a new `master_version` asks again',
        'api/terms > must be accepted, each in some language, before anything else is answered',
        'api/terms > of a new master version ask again, once they are read again',
      ),
      better(
        'a string is taken letter by letter',
        '400 `M_INVALID_PARAM`; an unknown URL: 400 `M_UNKNOWN`; nothing changes',
        'nobody has accepted what they did not name',
        'api/terms > that are wrong, or accepted by nobody, change nothing',
      ),
    ],
    'POST /account/register': [
      same(
        'an OpenID token of the homeserver, asked at `openid/userinfo`; `{"token", "access_token"}`, twice the same',
        'api/register > gives the homeserver’s user a token, stored so that nobody can use it',
        'clients/matrix-js-sdk > it registers with the OpenID object as the homeserver gave it',
      ),
      same(
        'the name of the homeserver in any case; the user must be of that very server; `homeserver_allow_list`: 403 `M_UNAUTHORIZED`; no name: 400 `M_INVALID_PARAM`',
        'api/register > works with the name in capitals, and without what is of no use',
        'api/register > is refused for tokens and users that are not the homeserver’s',
        'api/register > only users of listed homeservers register where there is a list',
        'api/register > names that are none, or lead nowhere, are refused',
      ),
      better(
        '500 `M_UNKNOWN` when the homeserver is no help',
        '502 with what went wrong; 401 `M_UNAUTHORIZED` for a token that it refuses; 503 when too many wait for it',
        'the failure is not this server’s',
        'api/register > a homeserver that %s gives a telling 502, and no token',
        'api/overload > what a slow homeserver has no room for is told to come back, and nobody else waits (%s)',
      ),
      different(
        'an account has tokens without end',
        '100 at most: the one that was used longest ago goes',
        'each takes room, and whoever asks gets one',
        'api/token-cap > has at most 100 tokens: the one that was used longest ago goes',
      ),
    ],
    'GET /account': [
      same(
        '`{"user_id"}`',
        'api/accounts > one of Sydent’s tells whose it is, and stays as it was',
      ),
    ],
    'POST /account/logout': [
      same(
        '`{}`, and the token is gone; terms need not be accepted',
        'api/accounts > is gone after the logout, which needs no body; others of the user stay',
        'api/terms > a user can log out without accepting them',
      ),
      better(
        'without a token 400 `M_BAD_JSON`',
        '401 `M_UNAUTHORIZED`, as everywhere; no body needed',
        'the specification',
        'api/every-argument > who has no token, or has not accepted the terms, gets nothing',
      ),
    ],
  },
  'Proving an address': {
    'POST /validate/email/requestToken': [
      same(
        '`{"sid"}`, in version 1 with `"success": true`; `send_attempt` a number or a text; address of 1 to 500 characters, else 400 `M_INVALID_PARAM`',
        'api/every-row > asking for a mail',
        'api/main-job > the same by forms and query strings',
      ),
      same(
        'one session per address and `client_secret`, for 24 hours; deleted when five days old',
        'api/validation-sessions > a session lasts 24 hours from its creation, then from its validation',
        'api/validation-sessions > sessions five days old are deleted',
      ),
      same(
        'the link in the mail begins with `client_http_base` and holds `token`, `client_secret`, `sid`; the token is 32 letters and digits',
        'api/main-job > an address is validated, bound and looked up, by JSON',
      ),
      same(
        'the mail goes to the address as it was typed',
        'api/main-job > an address is validated, bound and looked up, by JSON',
      ),
      same(
        '`sid=` is appended to `next_link` at the very end, with `&` if there is a `?` anywhere',
        'api/validation-sessions > next_link %s gets its sid at the very end',
      ),
      better(
        'sends a mail each time, whatever `send_attempt` says',
        'sends only for a greater `send_attempt` than the last that was sent',
        'a retry is not a second mail',
        'api/validation-sessions > a message goes out only for a greater send_attempt',
      ),
      better(
        'asking again prolongs a validated session; addresses are compared as typed',
        'a greater `send_attempt` on a validated session starts another; addresses are compared case-folded',
        'a session proves what was proven, when it says so',
        'api/validation-sessions > a retry leaves a validated session as it is; a greater attempt starts over',
        'api/validation-sessions > sessions are apart by address, and secret, but not by letter case',
      ),
      better(
        'takes `notanemail`, and fails for letters beyond ASCII',
        'one plain address, of any alphabet, else 400 `M_INVALID_EMAIL`',
        'what cannot get mail cannot be proven',
        'api/validation-sessions > addresses are checked before anything is sent',
        'delivery/mailer > to an internationalised user goes where the relay has SMTPUTF8',
      ),
      better(
        'the relay refuses: 500 `M_EMAIL_SEND_ERROR`',
        '400 `M_EMAIL_SEND_ERROR`, and the attempt does not count',
        'the specification',
        'api/every-row > asking for a mail',
        'api/validation-sessions > an attempt whose sending failed does not count',
      ),
      better(
        'without `client_http_base` the link has no host; with version 1 off it is dead',
        '`https://` and `server.name`, with a warning at the start; with version 1 off the link is version 2’s',
        'links lead somewhere',
        'config/values > without a name the host’s is used, with a warning',
        'api/version-2 > validates an address by the mailed link, and binds it to the token’s user only',
      ),
      better(
        '`nextLink` stands in the mailed link, whatever its scheme',
        'it is kept with the session; one that is not `http`, `https` or of `next_link.schemes` is left out, and the mail goes out all the same',
        'nobody else decides where a user lands',
        'api/validation-sessions > next_link %.40j is left out, and the mail goes out all the same',
        'api/validation-sessions > the scheme %s, which the configuration lists, is redirected to',
      ),
      better(
        'the page of the link shows the default brand',
        'the brand that was asked for',
        'one face from mail to page',
        'api/main-job > the mailed link validates in a browser and leads on',
      ),
    ],
    'POST /validate/email/submitToken': [
      same(
        '`{"success": true}`; in version 1 a failure is 200 with `"success": false`, `errcode` and `error`',
        'api/validation-sessions > a wrong token, session and secret each have their answer',
        'api/every-row > is proven by its token and bound to a user',
      ),
      better(
        '`M_NO_VALID_SESSION` for a wrong token; an unknown session gets the text of a wrong token',
        '`M_TOKEN_INCORRECT`, `M_NO_VALID_SESSION` or `M_SESSION_EXPIRED`; in version 2 with status 400',
        'the specification; clients can say what to do',
        'api/validation-sessions > a wrong token, session and secret each have their answer',
        'api/version-2 > answers a wrong token with 400',
      ),
      better(
        'any number of guesses',
        'after ten wrong ones the codes are dead, until a new one is sent',
        'a code must not be found by trying',
        'api/validation-sessions > after ten wrong guesses the codes are dead, until a new one is sent',
      ),
    ],
    'GET /validate/email/submitToken': [
      same(
        'the link in the mail, without a token in version 2 too: the page of the brand, or 302 to the next link',
        'api/every-row > is proven on the page, which leads on where the link says',
        'compat/operators-templates > make the verification mail and its page',
      ),
      better(
        'a failure is 200; the next link is the one in the URL, `javascript:` included',
        '4xx; only the next link that `requestToken` was given; headers keep scripts and the link’s secrets inside',
        'nobody else decides where a user lands',
        'api/main-job > the mailed link validates in a browser and leads on',
      ),
      better(
        'whoever opens the link proves the address',
        'the same, unless `page.ask_before_validation` is on, as in the file of a first start: then a button does',
        'scanners of mail open links',
        'config/first-start > has mailed links ask for a click; a file without the key goes on as Sydent does',
        'api/confirm-page > proves nothing when it is followed, and the address when the button is pressed',
      ),
    ],
    'POST /validate/msisdn/requestToken': [
      same(
        '`{"success": true, "sid", "msisdn", "intl_fmt"}`; numbers as libphonenumber reads them from their country, valid or only possible',
        'api/phone > are proven with the code in the message, bound, and found',
        'platform/phone-numbers > a phone number is read as it is dialled from its region',
      ),
      same(
        '`smsrule.CODE = reject`: 400 `M_DESTINATION_REJECTED`; limits by number and by calling code: 429',
        'api/every-row > asking for a text message',
        'api/phone > are limited one by one: retries do not count, and the code sent stays good',
      ),
      better(
        'messages go to premium-rate and satellite numbers, too',
        'with `limits.enforce = true` only where `smsrule.PREFIX` names them, else 400 `M_DESTINATION_REJECTED`',
        'their owners may earn by each message',
        'api/sms-destinations > a text message to a number that costs more is refused, and everybody else gets theirs',
        'api/sms-destinations > as long as limits only report, such messages go out and count; what a rule rejects does not',
      ),
      same(
        'in version 1 a number that is not one: 400 `M_INVALID_PHONE_NUMBER`',
        'api/every-row > asking for a text message',
      ),
      better(
        'that in version 2 as well',
        '`M_INVALID_ADDRESS` in version 2; more than 15 digits are none',
        'the specification; E.164 has no longer ones',
        'api/every-row > asking for a text message',
        'platform/phone-numbers > a phone number is read as it is dialled from its region',
      ),
      better(
        'not sent: 500 `M_UNKNOWN`',
        '400 `M_SEND_ERROR`; what a retry does, and what counts, is as for mails',
        'the specification',
        'api/phone > a message that the provider refuses does not count, and an earlier code stays good',
      ),
    ],
    'POST /validate/msisdn/submitToken': [
      same(
        '`{"success": true}`; the code has six digits; homeservers that let this server send their users’ text messages use version 1, without a token',
        'api/phone > are proven with the code in the message, bound, and found',
      ),
      better(
        '404 for a wrong code; any number of guesses; a code is good for 24 hours',
        'as for email: 200 with `"success": false` in version 1, 400 in version 2; ten guesses; ten minutes; a new message replaces the code',
        'homeservers pass on only 2xx; six digits are tried out in a second',
        'api/every-row > is proven by its token and bound to a user',
        'api/phone > have ten minutes for a code',
        'api/phone > get a new code with each message, and the old one is dead',
      ),
    ],
    'GET /validate/msisdn/submitToken': [
      better(
        'always 500',
        'the page, as for email',
        'it was meant to work',
        'api/phone > can be proven on the page',
      ),
    ],
    'GET /3pid/getValidated3pid': [
      same(
        '`{"medium", "address", "validated_at"}`; 404 `M_NO_VALID_SESSION` for an unknown session and a wrong secret alike; 400 `M_SESSION_EXPIRED`, `M_SESSION_NOT_VALIDATED`',
        'api/main-job > an address is validated, bound and looked up, by JSON',
        'api/every-row > is proven by its token and bound to a user',
        'api/validation-sessions > a session lasts 24 hours from its creation, then from its validation',
      ),
      better(
        '`validated_at` is the time of `requestToken`',
        'the time of validation',
        'it is what the name says',
        'api/phone > are proven with the code in the message, bound, and found',
      ),
    ],
  },
  'Binding and unbinding': {
    'POST /3pid/bind': [
      same(
        'the signed association: `medium`, `address` (case-folded), `mxid`, `ts`, `not_before`, `not_after` (100 years), `signatures`; refusals as above; gone in version 1 with `enable_v1_associations = false`',
        'api/main-job > an address is validated, bound and looked up, by JSON',
        'api/every-row > is proven by its token and bound to a user',
        'api/conventions > without v1 associations only 3pid/bind is gone',
      ),
      different(
        'any text for `mxid`',
        'a user id with a homeserver, of the specification’s historical grammar, else 400 `M_INVALID_PARAM`',
        'nobody else could be told of the binding; the internal API takes any',
        'model/mxid > %s is a user id',
        'api/every-argument > arguments of a wrong type are refused',
      ),
      better(
        'a session binds as often as it likes',
        'with `limits.enforce = true` ten times (`bind.session`), then 429',
        'each bind is written, told and replicated',
        'api/pending-limits > a session binds ten times, and the next that proves the address goes on',
        'api/pending-limits > as long as they only report, all invitations stay and all binds go through',
      ),
      same(
        'in version 2 only for the token’s user, else 403 `M_UNAUTHORIZED`',
        'api/version-2 > validates an address by the mailed link, and binds it to the token’s user only',
      ),
      same(
        'the user’s homeserver is told (`3pid/onbind`), with the invitations that were pending; the answer has them too',
        'api/notices > with all invitations of the address, whatever its case, and no others',
      ),
      better(
        'the answer, lookups and peers repeat invitations of earlier binds, other people’s too',
        'only those of this address, only in the answer and to the homeserver',
        'they are nobody else’s business',
        'api/notices > with all invitations of the address, whatever its case, and no others',
      ),
      better(
        'an address bound again: lookups disagree on whose it is',
        'the newest wins everywhere, also when the clock has stepped back',
        'an address has one user',
        'api/main-job > a rebound address shows its newest user, even when the clock has stepped back',
      ),
      better(
        'homeservers are told from memory, by POST, for ever; a restart forgets',
        'from the database, through restarts, by POST, then PUT; given up after days, with a line in the log',
        'what was acknowledged is not lost',
        'api/notices > even if it is down, and this server restarts in between',
        'api/notices > by PUT, where POST is not understood',
      ),
      same(
        'a homeserver that refuses is asked again: it may know the invitation a second later',
        'api/refused-invitations > is offered again at once: the user is in after %i refusals, within seconds',
      ),
      better(
        'for ever, with all invitations of the address together',
        'for a day (`onbind.give_up_refused_after_hours`), each by itself; then the invitation waits for the next bind',
        'one that was revoked holds up no other',
        'api/refused-invitations > holds up no other invitation: those it comes with are delivered at once',
        'api/refused-invitations > is given up after the limit; the invitation stays, for the next bind',
      ),
      different(
        'leaves `invites` out when there are none',
        '`"invites": []` in what homeservers are told',
        'the specification has it as required',
        'api/notices > when nothing is pending, too',
      ),
    ],
    'POST /3pid/unbind': [
      same(
        'by a validated session of the address, or signed by the user’s homeserver (X-Matrix); `{}`',
        'api/unbind > a validated session of the address takes the binding back',
        'api/unbind > the user’s homeserver takes it back by its signature',
      ),
      same(
        'what is not bound to exactly that user succeeds and changes nothing; another’s: 403 `M_FORBIDDEN`',
        'api/unbind > what was never bound is unbound already, whatever it is',
        'api/unbind > a homeserver cannot take back what is another’s',
      ),
      better(
        'never answers when the session is not validated',
        '403 `M_SESSION_NOT_VALIDATED`, 400 `M_SESSION_EXPIRED`',
        'a client that waits for ever is a bug',
        'api/unbind > a session that proves nothing does not',
      ),
      better(
        'splits the header at spaces and commas, and takes it for `server.name` only',
        'the specification’s grammar, for every name of this server (`server.aliases`)',
        'clients name this server as they know it',
        'homeservers/x-matrix > an X-Matrix header is read',
        'homeservers/requests > a signed request',
      ),
      better(
        'refused: 401; the homeserver cannot be asked: 500',
        'refused: 403 `M_FORBIDDEN` in version 2, 401 in version 1; cannot be asked: 502 or 503',
        'the specification; homeservers forget the binding at a 400, 404 or 501',
        'api/unbind > no signature, or one that does not fit, is refused',
        'api/unbind > a homeserver that cannot be asked for its keys is no reason to forget the binding',
      ),
      different(
        'removes every row of the address, peers’ newer ones too',
        'removes this server’s, and others that are not newer',
        'a newer binding elsewhere is a later decision of its owner',
        'storage/sydent-data > a deletion that Sydent applied already does not take a newer row of a peer again',
      ),
      better(
        'a homeserver that was not told of the binding yet is told all the same',
        'it is not told, nor after a binding to another user; the invitations wait for who binds the address next',
        'what was taken back is nobody’s business',
        'api/taken-back > by %s, no homeserver is told; its invitations are for who binds it next',
        'api/taken-back > a binding to another user takes the former back: only the new homeserver is told',
      ),
    ],
  },
  'Looking up': {
    'GET /lookup': [
      same(
        'the signed association, or `{}`; in any letter case; signed by this server too where only a peer has signed',
        'api/main-job > an address is validated, bound and looked up, by JSON',
        'storage/sydent-data > everything Sydent 2.7 knew is known',
        'storage/sydent-data > and Sydent can go on with what we wrote, and we with what it wrote then',
      ),
      better(
        'shows the invitations that were delivered with a binding',
        'leaves them out',
        'they are nobody else’s business',
        'replication/receiver > one with invitations in it, which lookups do not pass on',
      ),
      better(
        'signs whatever members a peer sent beside an association',
        'exactly an association: others are left out, and the signature that fits no more',
        'this server vouches for nothing else',
        'storage/stored-extras > is answered without what is not part of an association: %s',
      ),
      better(
        'what is dated into the future wins until then',
        'whoever binds the address anew wins at once',
        'a wrong clock elsewhere holds no address',
        'replication/future-dates > of a peer does not stand in the way of a binding here',
        'replication/future-dates > of this server does not stand in the way of another binding here',
      ),
    ],
    'POST /bulk_lookup': [
      same(
        '`{"threepids": [[medium, address, mxid], …]}` in the stored spelling, unknown ones left out; not a list: 400 `M_INVALID_PARAM`',
        'api/main-job > the same by forms and query strings',
        'api/conventions > bulk_lookup takes a list of pairs, and not too many',
      ),
      different(
        'any number',
        'as many as `address_lookup_limit`, else 400 `M_TOO_LARGE`',
        'the limit of version 2 is worth nothing beside a door without one',
        'api/conventions > bulk_lookup takes a list of pairs, and not too many',
      ),
    ],
    'GET /hash_details': [
      same(
        '`{"algorithms": ["sha256", "none"], "lookup_pepper"}`; the pepper is the one that Sydent made',
        'api/mapped-lookup > find an address by the hash of each spelling that clients send',
        'storage/sydent-data > and Sydent can go on with what we wrote, and we with what it wrote then',
      ),
      better(
        'one pepper for ever',
        'it can be rotated; `alt_lookup_peppers` (MSC4004) has the former ones while they work',
        'a list of hashes that somebody has made loses its worth',
        'api/pepper-rotation > finds all by both peppers, also what is bound after, until the former one ends',
        'api/pepper-rotation > leaves Sydent’s tables as they were, so that Sydent would answer lookups',
      ),
      better(
        'always offers `none`',
        'not with `lookup.allow_none = false`',
        'addresses need not come in plain text',
        'api/mapped-lookup > unhashed lookups can be switched off',
      ),
    ],
    'POST /lookup': [
      same(
        '`{"mappings"}`; wrong pepper: 400 `M_INVALID_PEPPER` with the right one; unknown algorithm: 400 `M_INVALID_PARAM`; more than `address_lookup_limit`: 400 `M_TOO_LARGE`',
        'api/mapped-lookup > that are wrong are told what is right',
        'api/mapped-lookup > take ten thousand addresses, and not one more',
      ),
      better(
        'with `none`, keys come in the stored spelling',
        'the keys exactly as asked',
        'clients throw on keys that they did not send',
        'api/mapped-lookup > of addresses as they are answer with the keys that were asked',
      ),
      better(
        'finds the hash of the case-folded address only; of several users the alphabetically last',
        'finds the hashes of the folded, the lower-cased and the typed address, and of the folded one with its domain in A-labels, by an index; the newest user',
        'clients hash what their users typed',
        'api/mapped-lookup > find an address by the hash of each spelling that clients send',
        'api/mapped-lookup > answer with the newest user of an address that was bound again',
      ),
      better(
        'rows of old Sydents in mixed case are found by the hash of the folded address only',
        'by the hash of their stored spelling as well',
        'homeservers hash what was typed',
        'storage/stored-spellings > is found by in a database that an earlier version has taken over',
        'storage/stored-spellings > is found by when Sydent, or a peer of it, wrote it last',
      ),
      better(
        'a domain in A-labels (`xn--…`), or not normalised, is another address than the same domain in letters',
        'one mailbox, also where Sydent stored it; but A-labels whose letters fold to another domain (`xn--fa-hia`) stay a mailbox of their own',
        'mail to both arrives at the same place, and whoever proved it is who is found',
        'storage/respelt-domains > bound in A-labels, is one with that in letters',
        'storage/respelt-domains > is not the mailbox of a domain that folding would make of it',
      ),
    ],
  },
  Invitations: {
    'POST /store-invite': [
      same(
        '`{"token", "public_key", "public_keys", "display_name"}`: a token of 128 letters, the long-term key, a key of its own with its URL; a mail goes out',
        'api/store-invite > is stored, mailed and signed for',
      ),
      same(
        'the address in part, `gra...@nav...`, as far as the two keys say',
        'compat/redacted-addresses > a room sees the invited address in part, %s',
      ),
      same(
        'refusals: bound: 400 `M_THREEPID_IN_USE` with `mxid`; not email: 400 `M_UNRECOGNIZED`; blocklists of homeservers, rooms and words, and another’s `sender` in version 2: 403 `M_UNAUTHORIZED`; too many: 429',
        'api/store-invite > is refused: %j',
        'api/store-invite > of an address that is bound is refused with its user',
        'api/store-invite > version 2 alone stores and signs, by its own paths',
      ),
      better(
        'any number are pending',
        'with `limits.enforce = true` 100 of an address and 5,000 of a sender: then an older one gives way, or the new one is refused (429)',
        'whoever proves an address must find the invitations that somebody meant',
        'api/pending-limits > a flood of version 1 pushes its own out, and an account’s invitation arrives',
        'api/pending-limits > as long as they only report, all invitations stay and all binds go through',
      ),
      different(
        'any text for `room_id`',
        '`!` and whatever follows, up to 255 bytes, of every room version',
        'no room can have another',
        'api/store-invite > is to the room %j as it is named',
      ),
      same(
        'long names are cut: `sender_display_name` to 20 characters, `room_name` to 30',
        'api/store-invite > says no more than it should',
      ),
      better(
        'arguments before the token; stored before the last check and the mail; no mail: 500',
        'the token first; nothing is stored when anything refuses; no mail: 400 `M_EMAIL_SEND_ERROR`',
        'an invitation is there or it is not',
        'api/store-invite > that the relay refuses leaves nothing behind',
        'api/store-invite > version 2 alone stores and signs, by its own paths',
      ),
      better(
        'the URLs of keys are version 1’s, dead when that is off',
        'of the version that asked',
        'homeservers ask them',
        'api/store-invite > version 2 alone stores and signs, by its own paths',
      ),
      different(
        'every argument reaches the template, as it was sent',
        'those of the specification, `guest_…`, and those of `email.invite.extra_fields`; without control characters and what cannot be seen; of a link the words stay',
        'an invitation is no way to send advertising in your name',
        'api/store-invite > says no more than it should',
        'api/names-in-invitations > %j is read as words, and is a link nowhere',
        'api/names-in-invitations > names in any script arrive as they are, emoji and all',
      ),
    ],
    'GET /cognomen/refuse-invitations': [
      better(
        'is not there: who is invited again and again can do nothing',
        'invitations have `List-Unsubscribe`; the link opens a page with a button',
        'what comes unasked must be easy to stop',
        'api/refused-invitation-mails > stands in its headers, and in those of no other mail',
        'api/refused-invitation-mails > asks first, refuses by the button, and leaves everything but mails as it was',
      ),
    ],
    'POST /cognomen/refuse-invitations': [
      better(
        'is not there',
        'no more invitations are mailed to the address; they are stored, and who invites is answered as ever',
        'mail programs do it by one click (RFC 8058); nobody learns who has refused',
        'api/refused-invitation-mails > refuses by one click of a mail program, in either form, as often as it comes',
        'api/refused-invitation-mails > is worth nothing where anything of it is changed, and says no more then',
      ),
    ],
    'POST /sign-ed25519': [
      same(
        '`{mxid, sender, token, signatures}` signed with the key that was sent, as `ed25519:0`; unknown token: 404 `M_UNRECOGNIZED`',
        'api/store-invite > is stored, mailed and signed for',
        'api/store-invite > is signed for with a key in either alphabet, and with no other',
      ),
      better(
        'a key that is not one: 500; gone with version 1',
        '400 `M_INVALID_PARAM`; stays in version 1; in version 2 the three arguments in the query string need no token',
        'mails already sent hold the link, and clients open it without a token',
        'api/store-invite > is signed for with a key in either alphabet, and with no other',
        'api/store-invite > version 2 alone stores and signs, by its own paths',
        'clients/matrix-js-sdk > it takes up an invitation by the mailed link, version 1 being off',
      ),
    ],
  },
};

/** Endpoints of the other listeners, by method and whole path. */
export const OTHER_ENDPOINTS: Rows = {
  'POST /_matrix/identity/internal/bind': [
    same(
      '`address`, `medium`, `mxid`: the signed association, without any proof; JSON whatever the `Content-Type`, as `curl -d` sends it; neither query nor form is read; any `mxid` is taken',
      'api/internal-api > a body is JSON whatever its type: %s',
      'api/internal-api > neither query nor form is read',
      'api/internal-api > synapse-bind-sydent binds what a user has at registration',
    ),
    better(
      'binds what a web page posts, and tells it by CORS',
      'no CORS; a request with an `Origin` is refused: 403 `M_FORBIDDEN`',
      'a page that the administrator opens must not bind anybody',
      'api/internal-api > what comes from a web page of origin %j is refused',
      'api/internal-api > no answer lets a web page read it, not even to ask whether it may',
    ),
    better(
      'stores `+447700900123` as it came, and no lookup finds it',
      'the number without its `+`',
      'a number has one form',
      'api/internal-api > a number is the same with a plus sign',
    ),
    better(
      'a user without a server is bound, and telling nobody fails for ever',
      'bound as well, with a `warning` in the answer',
      'a slip of the pen is noticed',
      'api/internal-api > %.30j is bound as it is, and the answer warns that nobody is told',
    ),
    different(
      'binds whatever `address` and `medium` are',
      'an email address or a phone number, else 400 `M_INVALID_PARAM`',
      'nobody can look up anything else',
      'api/internal-api > %.30j is not bound',
    ),
  ],
  'POST /_matrix/identity/internal/unbind': [
    same(
      '`address`, `medium`, `mxid`: `{}`; what is not bound to that user stays',
      'api/internal-api > a body is JSON whatever its type: %s',
      'api/internal-api > what Sydent bound of a kind that nobody can bind now can be unbound',
      'api/main-job > the internal API binds and unbinds without validation',
    ),
  ],
  'GET /_matrix/identity/openapi.json': [
    better(
      'is not there',
      'the description of the internal API, on its listener',
      'whoever writes a script reads it from the server',
      'api/internal-api > it describes itself',
    ),
  ],
  'POST /_matrix/identity/replicate/v1/push': [
    same(
      '`{"sgAssocs": {id: association}}` of an active peer, by the name in its certificate; `{"success": true}`',
      'replication/receiver > what is signed, with parameters behind the content type and a slash behind the path',
      'replication/receiver > no peer that is inactive or has no key',
    ),
    same(
      'all or nothing: 400 `M_VERIFICATION_FAILED` with `failed_ids`; 403 `M_UNKNOWN_PEER`; 400 `M_NOT_JSON`, `M_BAD_JSON`; repeats are ignored',
      'replication/receiver > several, and names them in order',
      'replication/receiver > no peer it does not know, whatever it asks for',
      'replication/receiver > content of type %s',
      'replication/receiver > an id once, however often it comes',
    ),
    same(
      'keys in base64 or, as in the oldest days, in hex',
      'replication/receiver > what any of the peer’s keys has signed under any id, keys in hex too',
    ),
    better(
      'looks at the signature `ed25519:0` only; wants `application/json` bare',
      'any id of the peer’s keys, several keys; parameters behind the type',
      'a peer can change its key',
      'replication/receiver > what any of the peer’s keys has signed under any id, keys in hex too',
    ),
    better(
      'one association that is not one fails the push, for ever; dates of any time and members of any name are stored',
      'only a bad signature fails a push: what lacks a member, has one too many, or is dated more than a day ahead is acknowledged and left out, with a line in the log and a metric',
      'one bad row is no end of replication, and nobody’s words are signed unseen',
      'replication/left-out > that is left out, and the rest is taken:',
      'replication/left-out > a bad signature fails the whole push,',
    ),
    same(
      'addresses are case-folded, and hashed with the receiver’s own pepper',
      'replication/receiver > addresses folded',
      'replication/servers > the hash is made with the receiver’s own pepper',
    ),
    different(
      'a deletion removes every row of the address',
      'it removes what the peer had said, and others that are not newer',
      'a newer binding is a later decision of its owner',
      'replication/receiver > takes back what the peer said, and what others said before',
    ),
    different(
      'bodies of 512 KiB',
      'of 1 MiB, with at most 50,000 members, and as many commas, in all',
      'large pushes are faster; while one is parsed everybody else waits',
      'replication/receiver > content that is too large',
      'replication/receiver > more members than associations of that length have',
      'replication/left-out > a push of nothing but commas is refused before it takes long',
    ),
  ],
  'GET /metrics': [
    same(
      '`sydent_http_received_requests_total{servlet, method}` and `sydent_emails_sent_total`, under the names that dashboards know',
      'compat/metrics > requests are counted under the names that Sydent’s dashboards know',
      'compat/metrics > mails are counted when they are tried, taken or not',
    ),
    better(
      'those two, and the Python process',
      'many more, and Node.js instead of Python: [metrics.md](metrics.md)',
      'operators see what is going on',
      'docs/generated > docs/metrics.md lists the metrics there are',
    ),
  ],
};
