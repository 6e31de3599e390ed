/** The part of docs/api.md that nothing can generate. */
export const DIFFERENCES = `## Where it differs from Sydent

Clients, homeservers and peers of Sydent 2.7 go on working. What is different is so for a reason:

| topic | Sydent 2.7 | Cognomen | why |
|---|---|---|---|
| unknown path, wrong method | HTML, no CORS | 404 and 405 with JSON and CORS; \`OPTIONS\` works on every path | web clients see what is wrong |
| a slash at the end of a path | 404 at the root of version 2 | the same as without | clients write both |
| wrong types, malformed JSON | 500, or a misleading error | 400 \`M_INVALID_PARAM\` or \`M_BAD_JSON\`, naming the argument | a bad request is not the server's failure |
| costly bodies | read whatever they are | 400 for JSON of more than 100 levels, 1,000 members or 50,000 lists, and for forms of more than 1,000 parameters | while one is parsed everybody else waits |
| the internal API | CORS for everybody, so that any web page can bind anybody through the browser of who can reach it | no CORS; 403 for a request with an \`Origin\`; a number may begin with \`+\`; a \`warning\` where there is no homeserver to be told | nobody binds for others |
| limits | 429 \`M_UNKNOWN\`; one for mails, and of SMS | 429 \`M_LIMIT_EXCEEDED\` with how long to wait; further limits by recipient, and if configured for registering and looking up; an IPv6 network of /64 counts as one client | the specification says so; nobody is to collect addresses |
| access tokens | plaintext in the database and in logs, valid for ever | stored hashed, never logged, forgotten after 90 days without use; Sydent's go on working | who reads a backup is not the user |
| access token that is missing, unknown or in the wrong place | logout without one: 400 | 401 \`M_UNAUTHORIZED\` everywhere; in the query string only with GET, and not at all with \`access_token.in_query = false\` | URLs end up in logs |
| \`account/register\`, when the homeserver is no help | 500 | 502 with what went wrong; 401 \`M_UNAUTHORIZED\` for a token that it refuses; 503 when too many are waiting for it | the failure is not this server's |
| requests to homeservers | certificates checked by their chain only; lists of addresses with gaps | certificates checked for the name as well; every address that is connected to is checked, in all IPv6 forms of IPv4 addresses, after redirects too; keys kept for 7 days at most | nobody reaches a private network through this server |
| \`X-Forwarded-For\` | the whole header is the client's address | its first entry, or with \`trusted_proxies\` the last one that is no proxy of yours | clients write into it what they like |
| \`submitToken\` | \`M_NO_VALID_SESSION\` for a wrong token; 404 for phone numbers | \`M_TOKEN_INCORRECT\`, \`M_SESSION_EXPIRED\` or \`M_NO_VALID_SESSION\`; 400 in v2, in v1 200 with \`success: false\` | homeservers that validate phone numbers by v1 pass only 2xx on |
| the page of a mailed link | 200 when it fails; for phone numbers always 500 | 4xx when it fails; the same for phone numbers; with headers that keep scripts and the link's secrets inside; asks for a click first where configured | scanners of mail open links |
| guessing codes | without limit | ten wrong tries, then the code is dead; SMS codes live 10 minutes | six digits are tried out in a second |
| the mailed link | leads where its \`nextLink\` says, \`javascript:\` included | leads only where \`next_link\` of \`requestToken\` said, and only to allowed schemes; another \`next_link\` is left out, with a line in the log, and the mail goes out all the same | nobody else decides where a user lands |
| \`HEAD\` of the mailed link | validates | changes nothing | scanners of mail ask like that |
| \`send_attempt\` | always sends | sends only for a greater attempt | a retry is not a second mail |
| sessions | \`validated_at\` is the time of \`requestToken\`; asking again prolongs a validated session; addresses are compared as typed; ids of 31 bits | \`validated_at\` is the time of validation; a greater \`send_attempt\` on a validated session starts another; addresses are compared case-folded; ids of 53 bits | a session proves what was proven when it says so |
| links, and the sender of mails | without \`client_http_base\` no host in links; \`{hostname}\` is mailed as it is | \`https://\` and \`server.name\`, with a warning; \`email.hostname\` is filled in | links lead somewhere |
| \`requestToken\`, mail or SMS not sent | 500 | 400 \`M_EMAIL_SEND_ERROR\` or \`M_SEND_ERROR\` | specification |
| phone numbers that are none | \`M_INVALID_PHONE_NUMBER\` | \`M_INVALID_ADDRESS\` in v2, the old code in v1; numbers of more than 15 digits count as none | specification; E.164 has no longer ones |
| mails to one address | without limit | limited, whoever causes them (\`email.ratelimit_recipient.*\`) | nobody's mailbox is filled from here |
| email addresses | \`notanemail\` is accepted, non-ASCII ones fail | one plain address, of any alphabet, else \`M_INVALID_EMAIL\` | what cannot get mail cannot be proven |
| \`lookup\` | scans the table; answers in the stored spelling; misses unfolded hashes | one index probe an address; keys exactly as asked; found by the hash of the folded, lower-cased and typed address | clients hash what their users typed |
| binding an address again | lookups disagree on whose it is | the newest wins everywhere | |
| \`3pid/bind\` | repeats other people's invitations | holds the invitations of that address only | they are nobody else's business |
| \`lookup\` of version 1, of an address that was invited | shows the invitations | leaves them out | they are nobody else's business |
| \`3pid/unbind\` by a session | never answers when the session is not validated | 403 \`M_SESSION_NOT_VALIDATED\`; 400 \`M_SESSION_EXPIRED\` |  |
| the signature of \`3pid/unbind\` | the header is split at spaces and commas; only for \`server.name\` | the specification's grammar; for any name of this server (\`server.aliases\`) | clients name this server as they know it |
| \`3pid/unbind\` refused | 401 | 403 \`M_FORBIDDEN\` in v2, 401 in v1; 502 when the homeserver cannot be asked | a 400, 404 or 501 would make homeservers forget the binding |
| \`store-invite\` | arguments before the token; stored before the last check and the mail; its keys' URLs in version 1 always; 500 when no mail goes out | the token first; nothing is stored when it is refused; URLs in the version that asked; 400 \`M_EMAIL_SEND_ERROR\` | an invitation is there or it is not |
| texts of invitations | as the homeserver sent them | without control characters; names with a link in them are empty; only the specification's arguments, and those you list | an invitation is no way to send advertising |
| telling homeservers of bindings | from memory, for ever | from an outbox in the database, at least once, through restarts, for days; with \`invites\` even when there are none | what was acknowledged is not lost |
| keys of invitations | valid for ever | valid until 30 days after delivery or expiry (\`email.invite.key_grace_days\`); Sydent's stay valid | a key is of use no longer |
| \`enable_v1_access = false\` | links in mails and URLs of keys are dead | both lead to version 2; \`pubkey\` and \`sign-ed25519\` stay in version 1; \`sign-ed25519\` of version 2 takes its arguments from the query, without a token | invitations already sent go on working |
| \`pubkey\` | the key only as \`ed25519:0\`, whatever it signs with | under both ids; old keys stay served | signatures can be checked |
| \`/versions\` | ends at v1.5 | up to v1.19; the releases before v1.1 only while version 1 is served |  |
`;
