/** The part of docs/api.md that nothing can generate. */
export const DIFFERENCES = `## Where it differs from Sydent

Clients, homeservers and peers of Sydent 2.7 go on working. What is different is so for a reason:

| topic | Sydent 2.7 | Cognomen | why |
|---|---|---|---|
| unknown path, wrong method | HTML, no CORS | 404 and 405 with JSON and CORS; \`OPTIONS\` works on every path | web clients see what is wrong |
| wrong types, malformed JSON | 500, or a misleading error | 400 \`M_INVALID_PARAM\` or \`M_BAD_JSON\`, naming the argument | a bad request is not the server's failure |
| limits | 429 \`M_UNKNOWN\` | 429 \`M_LIMIT_EXCEEDED\`, with how long to wait | the specification says so |
| access tokens | plaintext in the database and in logs, valid for ever | stored hashed, never logged, forgotten after 90 days without use; Sydent's go on working | who reads a backup is not the user |
| \`submitToken\` | \`M_NO_VALID_SESSION\` for a wrong token; 404 for phone numbers | \`M_TOKEN_INCORRECT\`, \`M_SESSION_EXPIRED\` or \`M_NO_VALID_SESSION\`; 400 in v2, in v1 200 with \`success: false\` | homeservers that validate phone numbers by v1 pass only 2xx on |
| guessing codes | without limit | ten wrong tries, then the code is dead; SMS codes live 10 minutes | six digits are tried out in a second |
| the mailed link | leads where its \`nextLink\` says, \`javascript:\` included | leads only where \`next_link\` of \`requestToken\` said, and only to allowed schemes | nobody else decides where a user lands |
| \`HEAD\` of the mailed link | validates | changes nothing | scanners of mail ask like that |
| \`send_attempt\` | always sends | sends only for a greater attempt | a retry is not a second mail |
| \`requestToken\`, mail or SMS not sent | 500 | 400 \`M_EMAIL_SEND_ERROR\` or \`M_SEND_ERROR\` | specification |
| phone numbers that are none | \`M_INVALID_PHONE_NUMBER\` | \`M_INVALID_ADDRESS\` in v2, the old code in v1; numbers of more than 15 digits count as none | specification; E.164 has no longer ones |
| mails to one address | without limit | limited, whoever causes them (\`email.ratelimit_recipient.*\`) | nobody's mailbox is filled from here |
| email addresses | \`notanemail\` is accepted, non-ASCII ones fail | one plain address, of any alphabet, else \`M_INVALID_EMAIL\` | what cannot get mail cannot be proven |
| \`lookup\` | scans the table; answers in the stored spelling; misses unfolded hashes | one index probe an address; keys exactly as asked; found by the hash of the folded, lower-cased and typed address | clients hash what their users typed |
| binding an address again | lookups disagree on whose it is | the newest wins everywhere | |
| \`3pid/bind\` | repeats other people's invitations | holds the invitations of that address only | they are nobody else's business |
| \`3pid/unbind\` refused | 401 | 403 \`M_FORBIDDEN\` in v2, 401 in v1; 502 when the homeserver cannot be asked | a 400, 404 or 501 would make homeservers forget the binding |
| \`pubkey\` | the key only as \`ed25519:0\`, whatever it signs with | under both ids; old keys stay served | signatures can be checked |
| \`/versions\` | ends at v1.5 | up to v1.19 | |
`;
