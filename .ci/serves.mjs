// Starts a command, sees that it serves, and ends it as Ctrl+C does:
//   node serves.mjs URL COMMAND…   with - for the URL that it prints
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const [url, command, ...args] = process.argv.slice(2);
const child = spawn(command, args, { detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
let output = '';

/** Tells what went wrong, and leaves nothing running. */
function fail(what) {
  process.stderr.write(`${command} ${args.join(' ')}: ${what}\n${output}\n`);
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
  process.exit(1);
}

setTimeout(() => fail('took longer than a minute'), 60_000).unref();
const ended = once(child, 'close');
const ready = new Promise((resolve) => {
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk;
      const printed = /The demo: +(\S+)/.exec(output)?.[1];
      if (printed !== undefined || output.includes('Ready')) resolve({ printed });
    });
  }
});

const started = await Promise.race([ready, ended.then(() => undefined)]);
if (started === undefined) fail('ended');
const address = url === '-' ? started.printed : url;
const response = await fetch(address);
if (!response.ok) fail(`answered ${response.status}`);
await response.text();
process.kill(-child.pid, 'SIGINT');
await ended;
const stillThere = await fetch(address).then(
  () => true,
  () => false,
);
if (stillThere) fail('goes on after Ctrl+C');
process.stdout.write(`${command} ${args.join(' ')}: served ${address}\n`);
