// Prints what runc is to do with an image, as Docker would run it with --read-only, --cap-drop ALL and
// --security-opt no-new-privileges:
//
//   node runc-config.mjs IMAGE-CONFIG ROOT DATA UID:GID [VARIABLE=VALUE…]
//
// The first is the "config" of the image as JSON, DATA the folder for its volume.
import { readFileSync } from 'node:fs';

const [file, root, data, user, ...variables] = process.argv.slice(2);
const image = JSON.parse(readFileSync(file, 'utf8'));
const [uid, gid] = (user === '' ? image.User : user).split(':').map(Number);
const [volume] = Object.keys(image.Volumes);
const nothing = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
const mount = (destination, type, options) => ({ destination, type, source: type, options });

process.stdout.write(
  JSON.stringify({
    ociVersion: '1.0.2',
    process: {
      terminal: false,
      user: { uid, gid },
      args: [...image.Entrypoint, ...image.Cmd],
      env: [...image.Env, ...variables],
      cwd: image.WorkingDir,
      capabilities: nothing,
      noNewPrivileges: true,
    },
    root: { path: root, readonly: true },
    hostname: 'cognomen',
    mounts: [
      mount('/proc', 'proc', []),
      mount('/dev', 'tmpfs', ['nosuid', 'strictatime', 'mode=755', 'size=65536k']),
      { destination: volume, type: 'bind', source: data, options: ['bind', 'rw'] },
    ],
    linux: {
      namespaces: ['pid', 'network', 'ipc', 'uts', 'mount'].map((type) => ({ type })),
      maskedPaths: ['/proc/kcore', '/proc/keys', '/proc/timer_list'],
      readonlyPaths: ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'],
    },
  }),
);
