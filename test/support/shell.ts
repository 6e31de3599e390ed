import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { Writable } from 'node:stream';

export interface Shell {
  /**
   * Runs the text, and waits until it is done.
   * @param typed what the commands in it read.
   * @returns the lines they wrote, to standard error too.
   */
  paste(text: string, typed?: string): Promise<readonly string[]>;
  end(): Promise<void>;
}

/** Runs what comes, one text per line, beside the standard input, which is for the commands. */
const LOOP = `exec 2>&1
while read -r text <&3; do eval "$(echo "$text" | base64 -d)"; echo done; done`;
const DONE = /^done\n$/m;

/** A shell as a person uses it: one that keeps its variables from one paste to the next. */
export function startShell(): Shell {
  const child = spawn('/bin/sh', ['-c', LOOP], { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] });
  const { stdin, stdout } = child;
  const texts = child.stdio[3];
  if (!stdin || !stdout || !(texts instanceof Writable)) throw new Error('The shell has no way in');
  let written = '';
  stdout.on('data', (chunk: Buffer) => {
    written += chunk;
    child.emit('written');
  });
  child.on('close', () => child.emit('written'));
  return {
    async paste(text, typed = '') {
      written = '';
      stdin.write(typed);
      texts.write(`${Buffer.from(text).toString('base64')}\n`);
      while (!DONE.test(written)) {
        if (child.exitCode !== null) throw new Error(`The shell ended:\n${written}`);
        await once(child, 'written');
      }
      return written.split('\n').filter((line) => line !== '' && line !== 'done');
    },
    async end() {
      if (child.exitCode !== null) return;
      texts.end();
      await once(child, 'close');
    },
  };
}
