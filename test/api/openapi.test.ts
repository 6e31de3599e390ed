import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ApiDescription, Operation } from '../../src/listeners/http/openapi.ts';
import { get } from '../support/http.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** What specification v1.19 says of each route: required arguments, required members of the answer. */
const SPECIFIED: Readonly<Record<string, readonly [required: string, answer: string]>> = {
  'GET /_matrix/identity/versions': ['', 'versions'],
  'GET /_matrix/identity/v2': ['', ''],
  'GET /_matrix/identity/v2/account': ['', 'user_id'],
  'POST /_matrix/identity/v2/account/logout': ['', ''],
  'GET /_matrix/identity/v2/terms': ['', 'policies'],
  'POST /_matrix/identity/v2/terms': ['user_accepts', ''],
  'GET /_matrix/identity/v2/hash_details': ['', 'algorithms lookup_pepper'],
  'POST /_matrix/identity/v2/lookup': ['addresses algorithm pepper', 'mappings'],
  'POST /_matrix/identity/v2/validate/email/requestToken': [
    'client_secret email send_attempt',
    'sid',
  ],
  'POST /_matrix/identity/v2/validate/email/submitToken': ['client_secret sid token', 'success'],
  'GET /_matrix/identity/v2/validate/email/submitToken': ['client_secret sid token', ''],
  'POST /_matrix/identity/v2/validate/msisdn/requestToken': [
    'client_secret country phone_number send_attempt',
    'sid',
  ],
  'POST /_matrix/identity/v2/validate/msisdn/submitToken': ['client_secret sid token', 'success'],
  'GET /_matrix/identity/v2/validate/msisdn/submitToken': ['client_secret sid token', ''],
  'GET /_matrix/identity/v2/3pid/getValidated3pid': [
    'client_secret sid',
    'address medium validated_at',
  ],
  'POST /_matrix/identity/v2/3pid/bind': [
    'client_secret mxid sid',
    'address medium mxid not_after not_before signatures ts',
  ],
  'GET /_matrix/identity/v2/pubkey/{keyId}': ['keyId', 'public_key'],
  'GET /_matrix/identity/v2/pubkey/isvalid': ['public_key', 'valid'],
  'GET /_matrix/identity/v2/pubkey/ephemeral/isvalid': ['public_key', 'valid'],
  'POST /_matrix/identity/v2/store-invite': [
    'address medium room_id sender',
    'display_name public_keys token',
  ],
  'POST /_matrix/identity/v2/sign-ed25519': [
    'mxid private_key token',
    'mxid sender signatures token',
  ],
  'POST /_matrix/identity/v2/account/register': [
    'access_token expires_in matrix_server_name token_type',
    'token',
  ],
  'POST /_matrix/identity/v2/3pid/unbind': ['mxid threepid', ''],
};

/** Routes that the specification lets nobody call without a token. */
const WITHOUT_TOKEN = /versions|v2$|register|GET .*(terms|submitToken)|unbind|pubkey/;

describe('the description of the API', () => {
  let server: TestServer;
  let description: ApiDescription;

  const operationOf = (route: string): Operation | undefined => {
    const [method = '', path = ''] = route.split(' ');
    return description.paths[path]?.[method.toLowerCase()];
  };
  const answerOf = (operation: Operation | undefined) => {
    const schema = operation?.responses['200']?.content?.['application/json']?.schema;
    const name = schema?.$ref?.replace('#/components/schemas/', '');
    return (name === undefined ? schema : description.components.schemas[name])?.required ?? [];
  };

  beforeAll(async () => {
    server = await startTestServer();
    description = (await get(`${server.url}/_matrix/identity/openapi.json`)).json;
  });
  afterAll(() => server.stop());

  test('is an OpenAPI document', () => {
    expect(description.openapi).toBe('3.1.0');
    expect(description.info.version).toMatch(/^\d+\.\d+\.\d+/);
    expect(Object.keys(description.paths)).toContain('/_matrix/identity/openapi.json');
  });

  test.each(Object.entries(SPECIFIED))('has %s as specified', (route, [required, answer]) => {
    const operation = operationOf(route);
    const body = operation?.requestBody?.content['application/json']?.schema.required ?? [];
    const parameters = operation?.parameters.filter((parameter) => parameter.required) ?? [];
    const described = [...parameters.map(({ name }) => name), ...body];
    expect(described.sort().join(' ')).toBe(required);
    expect([...answerOf(operation)].sort()).toEqual(
      expect.arrayContaining(answer.split(' ').filter(Boolean)),
    );
    expect(operation?.security).toHaveLength(WITHOUT_TOKEN.test(route) ? 0 : 1);
  });

  test('names every argument’s form, and every refusal’s errcode', () => {
    for (const [path, methods] of Object.entries(description.paths)) {
      const isHealth = path === '/health' || path === '/ready';
      for (const { parameters, requestBody, responses } of Object.values(methods)) {
        const body = Object.values(
          requestBody?.content['application/json']?.schema.properties ?? {},
        );
        for (const { description: form } of [
          ...body,
          ...parameters.filter((p) => p.in === 'query'),
        ]) {
          expect(form).toEqual(expect.any(String));
        }
        for (const [status, { description: errcodes }] of Object.entries(responses)) {
          if (Number(status) >= 400 && !isHealth) expect(errcodes).toMatch(/^(`M_[A-Z_]+`(, )?)+$/);
        }
      }
    }
  });

  test('has what generators of clients need', () => {
    const operations = Object.values(description.paths).flatMap((methods) =>
      Object.values(methods),
    );
    const ids = operations.map(({ operationId }) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !/^[a-z][A-Za-z0-9]+$/.test(id))).toEqual([]);
    expect(ids).toContain('getV2PubkeyByKeyId');
    expect(description.servers).toEqual([{ url: 'https://id.test' }]);
    expect(Object.keys(description.components.schemas).sort()).toEqual([
      'BoundAssociation',
      'Error',
      'SignedAssociation',
    ]);
    const limited = operationOf('POST /_matrix/identity/v2/lookup')?.responses['429'];
    expect(limited?.content?.['application/json']?.schema.allOf).toEqual([
      { $ref: '#/components/schemas/Error' },
      { type: 'object', properties: { errcode: { type: 'string', enum: ['M_LIMIT_EXCEEDED'] } } },
    ]);
  });

  test('lists no route of version 1 that is not served', async () => {
    const other = await startTestServer({ sections: { general: 'enable_v1_access = false' } });
    const { json } = await get(`${other.url}/_matrix/identity/openapi.json`);
    const v1 = Object.keys(json.paths).filter((path) => path.includes('/api/v1'));
    expect(v1.every((path) => /pubkey|sign-ed25519/.test(path))).toBe(true);
    await other.stop();
  });
});
