import { type Peer, PUSH_PATH } from '../../replication/peers.ts';
import type { PushedAssociation, Receiver } from '../../replication/receiver.ts';
import { parseAsWritten } from '../../replication/written-numbers.ts';
import type { DescribedEndpoint } from '../http/endpoint.ts';
import { ApiError, badJson } from '../http/errors.ts';
import { type Field, field } from '../http/fields.ts';
import { type JsonLimits, parseJson } from '../http/json.ts';
import { aBoolean, aMap, anObject, type Described, replicatedAssociation } from '../http/schema.ts';

/** What a body of the greatest length can hold of associations, each nested as deeply as can be signed. */
const LIMITS: JsonLimits = { depth: 102, members: 50_000, lists: 50_000, items: 50_000 };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The id of an entry in the sender's log; NaN when it is not one. */
const idOf = (name: string) => (/^(?:0|[1-9]\d{0,15})$/.test(name) ? Number(name) : Number.NaN);

const sgAssocs: Field<PushedAssociation[]> = field(
  'an object of signed associations by id',
  aMap(replicatedAssociation),
  (raw) => {
    if (!isObject(raw)) return undefined;
    const pushed = Object.entries(raw).map(([name, signed]) => ({ id: idOf(name), signed }));
    return pushed.every(({ id }) => Number.isSafeInteger(id)) ? pushed : undefined;
  },
);

const answer = anObject({ success: aBoolean });

/** `POST /_matrix/identity/replicate/v1/push`: a peer sends what it says of addresses. */
export const replicationPush: DescribedEndpoint = {
  method: 'POST',
  path: PUSH_PATH,
  servlet: 'ReplicationPushServlet',
  summary: 'Take in the newest bindings and deletions of a peer',
  answer,
  fields: { sgAssocs },
  refusals: [
    [400, 'M_NOT_JSON'],
    [400, 'M_BAD_JSON'],
    [400, 'M_VERIFICATION_FAILED'],
    [403, 'M_UNKNOWN_PEER'],
    [413, 'M_TOO_LARGE'],
    [429, 'M_LIMIT_EXCEEDED'],
  ],
};

/** @throws ApiError `M_NOT_JSON`, for a Content-Type that is not JSON's */
export function requireJson(contentType: string | undefined): void {
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType === 'application/json') return;
  throw new ApiError(400, 'M_NOT_JSON', 'The Content-Type must be application/json');
}

/** @throws ApiError `M_BAD_JSON` */
function parseBody(body: Buffer | undefined): PushedAssociation[] {
  const parsed = parseJson(body, LIMITS, parseAsWritten);
  if (!isObject(parsed)) throw badJson('The request body is not a JSON object');
  const pushed = sgAssocs.read(parsed['sgAssocs']);
  if (pushed === undefined) throw badJson(`sgAssocs must be ${sgAssocs.expected}`);
  return pushed;
}

/** Takes in what a peer pushed. @throws ApiError */
export async function push(
  peer: Peer,
  body: Buffer | undefined,
  receiver: Receiver,
): Promise<Described<typeof answer>> {
  const refused = await receiver.receive(peer, parseBody(body));
  if (refused.length === 0) return { success: true };
  throw new ApiError(
    400,
    'M_VERIFICATION_FAILED',
    'Verification failed for one or more associations',
    { details: { failed_ids: refused.map(String) } },
  );
}
