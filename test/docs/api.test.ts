import { expect, test } from 'vitest';
import { adminApiRoutes } from '../../src/listeners/admin-api/routes.ts';
import {
  type ApiDescription,
  describeApi,
  type Operation,
} from '../../src/listeners/http/openapi.ts';
import type { Schema } from '../../src/listeners/http/schema.ts';
import { replicationPush } from '../../src/listeners/replication-api/push.ts';
import { OPERATIONS } from '../../src/operations/operations.ts';
import { ADMIN_ROOT } from '../support/admin.ts';
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
  const token = operation.security.length === 0 ? '' : 'yes';
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
  const describedBy = async (url: string) =>
    (await get(`${url}${ROOT}/openapi.json`)).json as ApiDescription;
  const description = await describedBy(server.url);
  const internal = await describedBy(server.internalUrl);
  await server.stop();
  const replication = describeApi([{ root: '', style: 'v2', endpoints: [replicationPush] }], '');
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
(the path does not take the method), 408 \`M_UNKNOWN\` (it did not come in whole within 30 s), and 500 \`M_UNKNOWN\`,
which is in the log. A 429 \`M_LIMIT_EXCEEDED\` says in
\`retry_after_ms\`, and in the header \`Retry-After\`, how long to wait. An argument with a \`?\` may be left out.

## Version 2

Under \`${ROOT}/v2\`. Where a token is needed, it is sent as \`Authorization: Bearer TOKEN\`, or with a GET as
\`?access_token=\` unless \`access_token.in_query = false\`.

${table(description, `${ROOT}/v2`, `${ROOT}/v2`)}

## Version 1

Under \`${ROOT}/api/v1\`, without tokens. Arguments come as a JSON object, or in the query string and a form: urlencoded
or \`multipart/form-data\`, whose files are not looked at. A parameter given more than once counts as not given. With
\`enable_v1_access = false\` only \`pubkey\` and \`sign-ed25519\` are left, which invitations already sent refer to.

${table(description, `${ROOT}/api/v1`, `${ROOT}/api/v1`)}

## Others

${table({ ...description, paths: others }, '', '')}

## The internal API

On a listener of its own (\`internalapi.http.port\`; off without it), under \`${ROOT}\`. Who reaches it can bind any
address to anybody, so nothing but your own scripts and homeservers may. Bodies are JSON whatever the Content-Type, so that
\`curl -d '{…}'\` is enough; neither query nor form is read. With \`internalapi.token\` every request, to whatever path,
needs that token as \`Authorization: Bearer TOKEN\`, else it is answered 401 \`M_UNAUTHORIZED\`; the description says so then.

${table(internal, '', ROOT)}

- It is not for web pages. A request with an \`Origin\` is refused with 403 \`M_FORBIDDEN\` before anything of it is
  read, on every path, and no CORS headers are sent. Browsers send an \`Origin\` with every \`POST\`, under whatever name a
  page reaches the listener, and nothing here is changed by any other method.
- A phone number may begin with \`+\`.
- \`mxid\` may be any text of up to 1024 bytes, as with Sydent. Where it names no homeserver that could be told of the
  binding (\`@ada\`, or a port that there is not), the answer says so in \`warning\`. The signature of that answer covers the
  warning, so that the answer verifies as it stands; what is stored, looked up and replicated has no warning and is
  signed without it. \`invites\` are answered, and signed, in the same way.
- What is to be unbound need not be an address that could be bound today.

## The replication API

For peers, on an HTTPS listener of its own that wants a client certificate ([replication](replication.md)). The
Content-Type must be \`application/json\`, the body at most 1 MiB.

${table(replication, '', '')}

\`sgAssocs\` holds signed associations by their ids in the sender's log; one whose \`mxid\`, \`not_before\` and \`not_after\` are
null is a deletion. Either all are stored, or none, and the answer is \`M_VERIFICATION_FAILED\` with the ids of those whose
signature does not fit in \`failed_ids\`. Ids that were taken before are passed over.

Where all this differs from Sydent, and why, is in [from-sydent.md](from-sydent.md).
`;
  await expect(text).toMatchFileSnapshot('../../docs/api.md');
});

test('docs/admin-api.md names every endpoint of the admin API', async () => {
  const { description } = describedAdminApi();
  const text = `# The admin API

What operators look at and do, over HTTP: how to switch it on, who may use it, and what of it is written down is in
[operations.md](operations.md#the-admin-api); [the console](console.md) is made on it. This page is made from the API's own description, which the server gives at
\`GET ${ADMIN_ROOT}/openapi.json\`.

Under \`${ADMIN_ROOT}\`. Every request needs \`Authorization: Bearer TOKEN\`. Those with \`POST\`, and those that are so marked, are for
operators; all others also for viewers. An argument with a \`?\` may be left out. Refusals are \`{"errcode", "error"}\` as in
[the client API](api.md).

Without a token, and not under that root: \`GET /health\` and \`GET /ready\` ([operations.md](operations.md#health)).

| endpoint | what for | arguments | answer |
|---|---|---|---|
${Object.entries(description.paths)
  .filter(([path]) => path.startsWith(ADMIN_ROOT))
  .flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => {
      const name = `\`${method.toUpperCase()} ${path.slice(ADMIN_ROOT.length)}\``;
      const cells = [
        name,
        operation.summary,
        argumentsOf(operation),
        answerOf(operation, description),
      ];
      return `| ${cells.join(' | ')} |`;
    }),
  )
  .join('\n')}
`;
  await expect(text).toMatchFileSnapshot('../../docs/admin-api.md');
});

function describedAdminApi() {
  const routes = adminApiRoutes(OPERATIONS, {
    context: {} as never,
    atOnce: 1,
    health: {} as never,
  });
  return { description: describeApi(routes, 'Admin API of Cognomen') };
}

const membersOf = ({ properties = {}, required = [] }: Schema) =>
  Object.keys(properties)
    .map((name) => (required.includes(name) ? `\`${name}\`` : `\`${name}\`?`))
    .join(', ');

function answerOf({ responses }: Operation, { components }: ApiDescription): string {
  const named = ({ $ref = '', ...schema }: Schema): Schema =>
    components.schemas[$ref.replace('#/components/schemas/', '')] ?? schema;
  const schema = responses['200']?.content?.['application/json']?.schema ?? {};
  const items = schema.properties?.['items']?.items;
  const described = (one: Schema) => (one.anyOf ?? [one]).map(named).map(membersOf).join('; or ');
  return items === undefined ? described(schema) : `\`items\` of ${described(items)}`;
}
