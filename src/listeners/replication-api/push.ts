import type { PushedAssociation, Receiver } from '../../replication/receiver.ts';
import type { Peer } from '../../storage/stores.ts';
import { ApiError, badJson } from '../frame/errors.ts';
import { type JsonLimits, parseJson } from '../frame/json.ts';

/** What a body of the greatest length can hold of associations, each nested as deeply as can be signed. */
const LIMITS: JsonLimits = { depth: 102, members: 50_000, lists: 50_000 };

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** @throws ApiError `M_NOT_JSON`, for a Content-Type that is not JSON's */
export function requireJson(contentType: string | undefined): void {
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  if (mediaType === 'application/json') return;
  throw new ApiError(400, 'M_NOT_JSON', 'The Content-Type must be application/json');
}

/** @throws ApiError `M_BAD_JSON` */
function parseBody(body: Buffer | undefined): PushedAssociation[] {
  const parsed = parseJson(body, LIMITS);
  if (!isObject(parsed)) throw badJson('The request body is not a JSON object');
  const pushed = parsed['sgAssocs'];
  if (!isObject(pushed)) throw badJson('sgAssocs must be an object of signed associations by id');
  return Object.entries(pushed).map(([key, signed]) => {
    const id = /^(?:0|[1-9]\d{0,15})$/.test(key) ? Number(key) : Number.NaN;
    if (!Number.isSafeInteger(id)) throw badJson('The members of sgAssocs must be named by ids');
    return { id, signed };
  });
}

/** `POST /_matrix/identity/replicate/v1/push`: a peer sends what it says of addresses. */
export async function push(
  peer: Peer,
  body: Buffer | undefined,
  receiver: Receiver,
): Promise<object> {
  const refused = await receiver.receive(peer, parseBody(body));
  if (refused.length === 0) return { success: true };
  throw new ApiError(
    400,
    'M_VERIFICATION_FAILED',
    'Verification failed for one or more associations',
    { details: { failed_ids: refused.map(String) } },
  );
}
