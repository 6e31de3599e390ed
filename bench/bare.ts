/**
 * What all others are measured by: Node's HTTP server alone. It answers `{}`, to a POST once its body is parsed.
 * Writes its port and lives until it is killed.
 */
import { createServer } from 'node:http';

const ANSWER = Buffer.from('{}');
const HEADERS = { 'content-type': 'application/json', 'content-length': ANSWER.length };

const server = createServer((request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(200, HEADERS).end(ANSWER);
    return;
  }
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    JSON.parse(Buffer.concat(chunks).toString('utf8'));
    response.writeHead(200, HEADERS).end(ANSWER);
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
