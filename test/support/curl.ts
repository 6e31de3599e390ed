import { parseArgs } from 'node:util';

// What the README uses of curl, for machines that have none.
const { values, positionals } = parseArgs({
  options: {
    request: { type: 'string', short: 'X', default: 'GET' },
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    data: { type: 'string', short: 'd' },
  },
  allowPositionals: true,
});

const response = await fetch(`http://${positionals[0]}`, {
  method: values.request,
  headers: values.header.map((line) => line.split(': ', 2) as [string, string]),
  ...(values.data !== undefined && { body: values.data }),
});
process.stdout.write(await response.text());
