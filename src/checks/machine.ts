import { statfs } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import type { Config } from '../config/config.ts';
import type { Listener } from '../config/listener.ts';
import { readPidFile } from '../platform/pid-file.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

const MIB = 1024 * 1024;
/** Bytes: with less, SQLite and the log soon cannot write any more. */
const ROOM = { problem: 100 * MIB, warning: 1024 * MIB };

export const inMebibytes = (bytes: number): string => `${Math.round(bytes / MIB)} MiB`;

/** Room on the disks that the server writes to. */
export async function checkRoom({ db, general }: Config): Promise<Finding[]> {
  const files = [
    ...(db.engine === 'sqlite' && db.file !== ':memory:' ? [db.file] : []),
    ...(general.log.path === '' ? [] : [general.log.path]),
  ];
  const folders = [...new Set(files.map((file) => path.dirname(path.resolve(file))))];
  const findings: Finding[] = [];
  for (const folder of folders) {
    const about = `disk of ${folder}`;
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    const finding = `${inMebibytes(free)} are free`;
    const remedy = 'make room: without any, nothing can be written';
    if (free < ROOM.problem) findings.push(problem(about, finding, remedy));
    else if (free < ROOM.warning) findings.push(warning(about, finding, remedy));
    else findings.push(ok(about, finding));
  }
  return findings;
}

/** Milliseconds for a connection to this machine. */
const PATIENCE = 2000;

const answersAt = ({ address, port }: Listener): Promise<boolean> =>
  new Promise((resolve) => {
    const host = address === '::' || address === '0.0.0.0' ? 'localhost' : address;
    const socket = connect({ host, port, timeout: PATIENCE });
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', () => end(false));
    socket.once('timeout', () => end(false));
  });

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Whether a server runs on this machine, as far as its pid file and its port tell. */
export async function checkRunning({ general, http }: Config): Promise<Finding[]> {
  const about = 'server';
  const { pidFile } = general;
  const pid = pidFile === '' ? undefined : readPidFile(pidFile);
  const { address, port } = http.clientApi;
  const answers = port !== 0 && (await answersAt(http.clientApi));
  if (answers) {
    const which = pid !== undefined && isAlive(pid) ? `, process ${pid}` : '';
    return [ok(about, `one listens at ${address} port ${port}${which}`)];
  }
  if (pid !== undefined && isAlive(pid)) {
    if (port === 0) return [ok(about, `process ${pid} runs, by ${pidFile}`)];
    const finding = `process ${pid} runs, by ${pidFile}, and nothing listens at port ${port}`;
    return [problem(about, finding, 'look at the log: it may be starting still')];
  }
  if (port === 0) return [ok(about, 'it listens at any port, so nobody knows whether one runs')];
  const start = 'start it, where it is to run on this machine';
  return [warning(about, `none listens at ${address} port ${port}`, start)];
}
