import { readConfig } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { request } from '../platform/node-http.ts';
import { OperatorError } from '../platform/operator-error.ts';
import type { Command } from './command.ts';
import { orReportFailure } from './report-failure.ts';

const HELP = `Ask the server that runs here by this configuration whether it is well: GET /health on its client listener. It is what
the container's health check runs.

Usage: cognomen health

Exit status: 0 well, 1 not, or not reached, 2 not understood
`;

/** Milliseconds; a database that does not answer is given up sooner. */
const PATIENCE = 8000;
/** More than any answer of the server has. */
const LONGEST_ANSWER = 1000;

/** What listens at one of these is reached at 127.0.0.1, also where no name is known. */
const ALL_ADDRESSES = ['', '::', '0.0.0.0'];

interface Answer {
  readonly status: number | undefined;
  readonly text: string;
}

/** @throws Error when nobody answers in time */
const ask = (host: string, port: number): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(PATIENCE);
    const asked = request({ host, port, path: '/health', agent: false, signal }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text = (text + chunk).slice(0, LONGEST_ANSWER);
      });
      response.on('end', () => resolve({ status: response.statusCode, text }));
      response.on('error', reject);
    });
    asked.on('error', reject);
    asked.end();
  });

async function askServer(files: readonly string[]): Promise<Answer> {
  const { config } = await readConfig(files, surroundings());
  const { address, port } = config.http.clientApi;
  const host = ALL_ADDRESSES.includes(address) ? '127.0.0.1' : address;
  try {
    return await ask(host, port);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new OperatorError(`No server answers at ${host} port ${port}: ${reason}`, {
      cause: error,
    });
  }
}

/** Says whether the server of this configuration is well. */
export const health: Command = {
  name: 'health',
  summary: 'Ask the running server whether it is well',
  help: HELP,
  async run({ config: files }) {
    const answer = await orReportFailure(() => askServer(files));
    if (answer === undefined) return 1;
    process.stdout.write(`${answer.text.trim()}\n`);
    return answer.status === 200 ? 0 : 1;
  },
};
