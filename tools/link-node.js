// Makes the npm scripts run on the Node that the install brought. npm up to 11.0 takes its link
// away again together with that of the package for another processor.
import { existsSync, rmSync, symlinkSync } from 'node:fs';

const MODULES = new URL('../node_modules/', import.meta.url);
const target = `node-${process.platform}-${process.arch}/bin/node`;
const link = new URL('.bin/node', MODULES);

if (existsSync(new URL(target, MODULES))) {
  rmSync(link, { force: true });
  symlinkSync(`../${target}`, link);
}
