import { Agent, request } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';

/** What is asked for again and again, over one connection, until a message comes; then the times are posted back. */
export interface LookupWork {
  readonly url: string;
  readonly token: string;
  readonly body: string;
}

const { url, token, body } = workerData as LookupWork;
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const times: number[] = [];
let stopped = false;

const lookup = () =>
  new Promise<void>((resolve, reject) => {
    const begin = performance.now();
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume().on('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${response.statusCode}`));
        times.push(performance.now() - begin);
        resolve();
      });
    });
    sent.on('error', reject).end(body);
  });

parentPort?.once('message', () => {
  stopped = true;
});
await lookup();
parentPort?.postMessage('ready');
while (!stopped) await lookup();
parentPort?.postMessage(times);
agent.destroy();
