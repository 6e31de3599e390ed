/** A mail relay that takes whatever it is given and forgets it. Writes its port and lives until it is killed. */
import { createServer } from 'node:net';

const server = createServer((socket) => {
  let rest = '';
  let isMail = false;
  socket.on('error', () => socket.destroy());
  socket.write('220 here\r\n');
  socket.on('data', (chunk) => {
    const lines = (rest + chunk.toString('latin1')).split('\r\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (isMail && line !== '.') continue;
      isMail = line.toUpperCase() === 'DATA';
      socket.write(isMail ? '354 go on\r\n' : '250 good\r\n');
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
