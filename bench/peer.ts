/** What any identity server can be asked beside ours: nothing is known of its data. */
import { type Measuring, measure } from './measure.ts';
import type { Request } from './processes.ts';
import { PEER_WORKS, V2, type Work } from './works.ts';

const hash = (number: number) =>
  Buffer.from(String(number).padStart(32, '*')).toString('base64url');

function missing(size: number, pepper: string, authorization: object): Work {
  return {
    name: `lookup of ${size}, not found`,
    requests: () =>
      Array.from(
        { length: 512 },
        (_, request): Request => ({
          method: 'POST',
          path: `${V2}/lookup`,
          headers: { ...authorization, 'content-type': 'application/json' },
          body: JSON.stringify({
            addresses: Array.from({ length: size }, (_, i) => hash(request * size + i)),
            algorithm: 'sha256',
            pepper,
          }),
        }),
      ),
  };
}

/** @param token of one of its accounts; without it, only what needs none is measured. */
export async function measurePeer(
  url: string,
  token: string | undefined,
  measuring: Measuring,
  say: (text: string) => void,
): Promise<void> {
  const works: Work[] = [PEER_WORKS.ping].map(({ name, requests }) => ({ name, requests }));
  if (token !== undefined) {
    const headers = { authorization: `Bearer ${token}` };
    const answer = await fetch(`${url}${V2}/hash_details`, { headers });
    if (!answer.ok) throw new Error(`hash_details answered ${answer.status}`);
    const { lookup_pepper } = (await answer.json()) as { lookup_pepper: string };
    works.push({
      name: PEER_WORKS.hashDetails.name,
      requests: () => [{ method: 'GET', path: `${V2}/hash_details`, headers }],
    });
    for (const size of [1, 100]) works.push(missing(size, lookup_pepper, headers));
  }
  for (const work of works) {
    const result = await measure(
      work,
      { url, internalUrl: url },
      { ...measuring, count: 1, reach: undefined },
    );
    say(`  ${result.work}: ${result.ratio.toFixed(3)} (${Math.round(result.rate)}/s)`);
  }
}
