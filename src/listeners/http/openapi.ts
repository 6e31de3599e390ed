import { VERSION } from '../../platform/version.ts';
import type { Routes } from './api-server.ts';
import type { DescribedEndpoint } from './endpoint.ts';
import { faultAnswer, type Refusal, UNAVAILABLE } from './errors.ts';
import { anObject, aString, errorOf, nameOfSchema, type Schema } from './schema.ts';

interface Response {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly required: boolean;
  readonly description?: string;
  readonly schema: Schema;
}

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly tags: readonly string[];
  /** Empty: none. */
  readonly security: readonly Readonly<Record<string, readonly string[]>>[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: {
    readonly required: boolean;
    readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
  };
  readonly responses: Readonly<Record<string, Response>>;
}

/** An OpenAPI document, version 3.1. */
export interface ApiDescription {
  readonly openapi: '3.1.0';
  readonly info: {
    readonly title: string;
    readonly version: string;
    readonly license: { readonly name: string; readonly identifier: string };
  };
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly securitySchemes?: object;
    readonly schemas: Readonly<Record<string, Schema>>;
  };
}

const JSON_TYPE = 'application/json';
const FORM_TYPES = ['application/x-www-form-urlencoded', 'multipart/form-data'];

const json = (schema: Schema) => ({ [JSON_TYPE]: { schema } });
const page = { 'text/html': { schema: aString } };

/** Endpoints as they are described: those of a listener, or others whose requests are read in another way. */
export type DescribedRoutes = Omit<Routes, 'endpoints'> & {
  readonly endpoints: readonly DescribedEndpoint[];
};

/** What goes wrong with any request of this kind. */
function commonRefusals(endpoint: DescribedEndpoint, protects: boolean): readonly Refusal[] {
  if (endpoint.refusals !== undefined) return [...endpoint.refusals, UNAVAILABLE];
  const common: Refusal[] = [];
  const takesArguments = Object.keys(endpoint.fields).length > 0 || endpoint.path.includes(':');
  if (takesArguments || protects || endpoint.method === 'POST') common.push(UNAVAILABLE);
  if (Object.keys(endpoint.fields).length > 0) {
    common.push([400, 'M_MISSING_PARAMS'], [400, 'M_INVALID_PARAM']);
  }
  if (endpoint.path.includes(':')) common.push([400, 'M_INVALID_PARAM']);
  if (endpoint.method === 'POST' && !endpoint.takesNoBody) {
    common.push([400, 'M_BAD_JSON'], [413, 'M_TOO_LARGE']);
  }
  if (protects) common.push(faultAnswer('token-unknown', { version: 'v2' }));
  if (protects && endpoint.needs === 'accepted-terms')
    common.push(faultAnswer('terms-not-accepted', { version: 'v2' }));
  return common;
}

/** Of what never gets to an endpoint, or fails in it, no page is made. */
const isPage = ({ answer, media }: DescribedEndpoint, status: number) =>
  answer === undefined && media === undefined && status < 500 && status !== 413;

function refusals(
  endpoint: DescribedEndpoint,
  { style: version, refusals: ofListener = [] }: DescribedRoutes,
  protects: boolean,
) {
  const { statuses, faults = [], faultsOfUsers = [] } = endpoint;
  const all = [
    ...commonRefusals(endpoint, protects),
    ...ofListener,
    ...[...faults, ...(protects ? faultsOfUsers : [])].map((fault) =>
      faultAnswer(fault, { version, statuses }),
    ),
  ];
  const byStatus = new Map<number, Set<string>>();
  for (const [status, errcode] of all) {
    byStatus.set(status, (byStatus.get(status) ?? new Set()).add(errcode));
  }
  // A success that can be a refusal is described by the answer itself.
  byStatus.delete(200);
  return [...byStatus].map(([status, errcodes]): [string, Response] => [
    String(status),
    {
      description: [...errcodes].map((errcode) => `\`${errcode}\``).join(', '),
      content: isPage(endpoint, status) ? page : json(errorOf([...errcodes])),
    },
  ]);
}

function argumentsSchema(endpoint: DescribedEndpoint): Schema {
  const members = Object.entries(endpoint.fields);
  const schemas = (specified: boolean) =>
    Object.fromEntries(
      members
        .filter(([, field]) => field.specified === specified)
        .map(([name, field]) => [name, { ...field.schema, description: field.expected }]),
    );
  return anObject(schemas(true), schemas(false));
}

function parameters(endpoint: DescribedEndpoint): Parameter[] {
  const inPath = [...endpoint.path.matchAll(/:(\w+)/g)].map(
    ([, name = '']): Parameter => ({ name, in: 'path', required: true, schema: aString }),
  );
  if (endpoint.method !== 'GET') return inPath;
  const inQuery = Object.entries(endpoint.fields).map(
    ([name, field]): Parameter => ({
      name,
      in: 'query',
      required: field.specified,
      description: field.expected,
      schema: field.schema,
    }),
  );
  return [...inPath, ...inQuery];
}

const BEARER = { accessToken: { type: 'http', scheme: 'bearer' } };

const BEFORE_VERSIONS = /^\/_matrix\/identity|^\/_cognomen\/admin\/v1/;

/** A name of letters and digits, for what is generated: `GET /v2/pubkey/{keyId}` is getV2PubkeyByKeyId. */
function operationId(method: string, path: string): string {
  const words = path
    .replace(BEFORE_VERSIONS, '')
    .replaceAll('{', 'by-')
    .split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== '');
  const joined = words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('');
  return method.toLowerCase() + (joined === '' ? 'Root' : joined);
}

const pathOf = ({ root }: DescribedRoutes, { path }: DescribedEndpoint) =>
  `${root}${path}`.replace(/:(\w+)/g, '{$1}');

function operation(endpoint: DescribedEndpoint, group: DescribedRoutes): Operation {
  const { style: version, tag = version, wantsToken = false } = group;
  const protects = version === 'v2' && endpoint.needs !== undefined;
  const style = endpoint.argumentStyle ?? version;
  const body = json(argumentsSchema(endpoint));
  const form = Object.fromEntries(FORM_TYPES.map((type) => [type, body[JSON_TYPE]]));
  const { media } = endpoint;
  const success: [string, Response][] =
    media !== undefined
      ? [['200', { description: 'A file', content: { [media]: { schema: aString } } }]]
      : endpoint.answer === undefined
        ? [
            ['200', { description: 'A page', content: page }],
            ['302', { description: 'On to the link that was given with the request for it' }],
          ]
        : [['200', { description: 'Success', content: json(endpoint.answer) }]];
  if (endpoint.unavailable !== undefined) {
    success.push(['503', { description: 'with the reason', content: json(endpoint.unavailable) }]);
  }
  return {
    operationId: operationId(endpoint.method, pathOf(group, endpoint)),
    summary: endpoint.summary,
    tags: [tag],
    security: protects || wantsToken ? [{ accessToken: [] }] : [],
    parameters: parameters(endpoint),
    ...(endpoint.method === 'POST' && !endpoint.takesNoBody
      ? { requestBody: { required: true, content: style === 'v1' ? { ...body, ...form } : body } }
      : {}),
    responses: Object.fromEntries([...success, ...refusals(endpoint, group, protects)]),
  };
}

/** The same, with references in the place of schemas that have names; these are added to `schemas`. */
function withReferences<T>(value: T, schemas: Record<string, Schema>): T {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => withReferences(item, schemas)) as T;
  const inner = () =>
    Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, withReferences(member, schemas)]),
    ) as T;
  const name = nameOfSchema(value);
  if (name === undefined) return inner();
  schemas[name] ??= inner() as Schema;
  return { $ref: `#/components/schemas/${name}` } as T;
}

/**
 * Describes all endpoints of an API, from what they themselves say.
 * @param url where it is reached; a path where that is its listener
 */
export function describeApi(
  routes: readonly DescribedRoutes[],
  title: string,
  url = '/',
): ApiDescription {
  const paths: Record<string, Record<string, Operation>> = {};
  const schemas: Record<string, Schema> = {};
  let isSecured = false;
  for (const group of routes) {
    for (const endpoint of group.endpoints) {
      const path = pathOf(group, endpoint);
      const described = operation(endpoint, group);
      paths[path] = { ...paths[path], [endpoint.method.toLowerCase()]: described };
      isSecured ||= described.security.length > 0;
    }
  }
  return {
    openapi: '3.1.0',
    info: {
      title,
      version: VERSION,
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url }],
    paths: withReferences(paths, schemas),
    components: { ...(isSecured && { securitySchemes: BEARER }), schemas },
  };
}
