/**
 * The load, in a process of its own: it is sent a `Load`, answers with what came of it, and waits for the next.
 * autocannon, whose connections each ask one thing after the other.
 */
import autocannon from 'autocannon';
import type { Load, LoadResult } from './processes.ts';

function run({ url, connections, seconds, requests, length }: Load): Promise<LoadResult> {
  let next = 0;
  let wrong = 0;
  return new Promise((resolve, reject) => {
    autocannon(
      {
        url,
        connections,
        duration: seconds,
        timeout: 30,
        setupClient(client) {
          const own = requests.filter((_, index) => index % connections === next);
          next++;
          client.setRequests((own.length === 0 ? requests : own) as autocannon.Request[]);
          // A long answer comes in pieces.
          let bytes = 0;
          client.on('body', (piece: Buffer) => {
            bytes += Buffer.byteLength(piece);
          });
          client.on('response', () => {
            if (length !== undefined && bytes !== length) wrong++;
            bytes = 0;
          });
        },
      },
      (error: Error | null, result) => {
        if (error) return reject(error);
        resolve({
          rate: result['2xx'] / result.duration,
          answered: result['2xx'],
          failed: result.non2xx + result.errors + wrong,
          median: result.latency.p50,
          slowest: result.latency.p99,
        });
      },
    );
  });
}

process.on('message', async (load: Load) => {
  process.send?.(await run(load));
});
