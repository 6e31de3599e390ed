import { expect, test } from 'vitest';
import type { ApiDescription, Operation } from '../../src/listeners/frame/openapi.ts';
import { get } from '../support/http.ts';
import { startTestServer } from '../support/server.ts';

const ROOT = '/_matrix/identity';

function argumentsOf({ parameters, requestBody }: Operation): string {
  const body = requestBody?.content['application/json']?.schema;
  const inBody = Object.keys(body?.properties ?? {}).map((name) => ({
    name,
    required: body?.required?.includes(name) ?? false,
  }));
  return [...parameters.filter((parameter) => parameter.in === 'query'), ...inBody]
    .map(({ name, required }) => (required ? `\`${name}\`` : `\`${name}\`?`))
    .join(', ');
}

function refusalsOf({ responses }: Operation): string {
  return Object.entries(responses)
    .filter(([status]) => Number(status) >= 400)
    .map(([status, { description }]) => `${status} ${description}`)
    .join('; ');
}

function row(path: string, method: string, operation: Operation): string {
  const token = operation.security === undefined ? '' : 'yes';
  const cells = [
    `\`${method.toUpperCase()} ${path}\``,
    operation.summary,
    token,
    argumentsOf(operation),
    refusalsOf(operation),
  ];
  return `| ${cells.join(' | ')} |`;
}

function table({ paths }: ApiDescription, prefix: string, stripped: string): string {
  const rows = Object.entries(paths)
    .filter(([path]) => path.startsWith(prefix))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) =>
        row(path.slice(stripped.length) || '/', method, operation),
      ),
    );
  return [
    '| endpoint | what for | token | arguments | refusals |',
    '|---|---|---|---|---|',
    ...rows,
  ].join('\n');
}

test('docs/api.md names every endpoint as the API’s own description does', async () => {
  const server = await startTestServer();
  const description = (await get(`${server.url}${ROOT}/openapi.json`)).json as ApiDescription;
  await server.stop();
  const { paths } = description;
  const others = Object.fromEntries(
    Object.entries(paths).filter(([path]) => !/\/(v2|api\/v1)(\/|$)/.test(path)),
  );
  const text = `# The API

Cognomen serves the Matrix [Identity Service API](https://spec.matrix.org/v1.19/identity-service-api/) in its version 2,
and the version 1 that homeservers and old clients still use. The running server describes it by itself:
\`GET /_matrix/identity/openapi.json\`. This page is made from that description.

Every answer is JSON but for the page that a mailed link opens. A refusal is \`{"errcode", "error"}\` with the status in the
table. Beside those, any request can get 404 \`M_UNRECOGNIZED\` (there is nothing at this path), 405 \`M_UNRECOGNIZED\`
(the path does not take the method), and 500 \`M_UNKNOWN\`, which is in the log. A 429 \`M_LIMIT_EXCEEDED\` says in
\`retry_after_ms\`, and in the header \`Retry-After\`, how long to wait. An argument with a \`?\` may be left out.

## Version 2

Under \`${ROOT}/v2\`. Where a token is needed, it is sent as \`Authorization: Bearer TOKEN\`, or with a GET as
\`?access_token=\` unless \`access_token.in_query = false\`.

${table(description, `${ROOT}/v2`, `${ROOT}/v2`)}

## Version 1

Under \`${ROOT}/api/v1\`, without tokens. Arguments come as a JSON object, or in the query string and a form. With
\`enable_v1_access = false\` only \`pubkey\` and \`sign-ed25519\` are left, which invitations already sent refer to.

${table(description, `${ROOT}/api/v1`, `${ROOT}/api/v1`)}

## Others

${table({ ...description, paths: others }, '', '')}

Where all this differs from Sydent, and why, is in [from-sydent.md](from-sydent.md).
`;
  await expect(text).toMatchFileSnapshot('../../docs/api.md');
});
