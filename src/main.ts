#!/usr/bin/env node
// Nothing is imported and nothing new is used before the version is known: an older Node could not
// even parse it.
const OLDEST_NODE = 24;

if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
  process.stderr.write(
    `cognomen needs Node.js ${OLDEST_NODE} or newer; this is ${process.version}\n`,
  );
  process.exitCode = 1;
} else {
  void import('./cli/run.ts').then(async ({ run }) => {
    process.exitCode = await run(process.argv.slice(2));
  });
}

export {};
