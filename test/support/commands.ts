import { vi } from 'vitest';
import { run } from '../../src/cli/run.ts';

/** Runs a command as `cognomen` would, but in this process: what it exits with, and all that it writes. */
export async function runCommand(
  ...args: readonly string[]
): Promise<{ status: number; output: string }> {
  let output = '';
  const write = (text: unknown) => {
    output += text;
    return true;
  };
  const spies = [process.stdout, process.stderr].map((stream) =>
    vi.spyOn(stream, 'write').mockImplementation(write),
  );
  try {
    const status = await run(args);
    return { status, output };
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
}
