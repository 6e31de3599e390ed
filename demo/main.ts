import { startDemo } from './demo.ts';

const demo = await startDemo();
process.stdout.write(`Cognomen is running, with a mailbox that only it knows.

  The demo:             ${demo.pageUrl}
  The identity server:  ${demo.serverUrl}

Open the first in a browser. Everything is in ${demo.folder} and gone when you press Ctrl+C.
`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void demo.close();
  });
}
