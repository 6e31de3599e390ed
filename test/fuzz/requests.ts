import fc, { type Arbitrary } from 'fast-check';
import type { Operation } from '../../src/listeners/http/openapi.ts';
import type { Schema } from '../../src/listeners/http/schema.ts';
import { keyPairFromSeed } from '../../src/signing/ed25519.ts';
import { signJson } from '../../src/signing/signed-json.ts';
import {
  ADMIN_RIGHT,
  BODIES,
  HEADERS,
  JSON_VALUES,
  METHODS,
  PATHS,
  QUERIES,
  RIGHT,
  TEXTS,
  TYPES,
} from './corpus.ts';

export const LISTENERS = ['client', 'internal', 'metrics', 'replication', 'admin'] as const;
export type ListenerName = (typeof LISTENERS)[number];

/** An endpoint as a listener describes it. */
export interface Route {
  readonly listener: ListenerName;
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** A request, each character of it a byte; what stands between braces is put in when it is sent. */
export interface WireRequest {
  readonly listener: ListenerName;
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly framing: 'length' | 'chunked' | 'none';
}

/** Who pushes to the replication listener. */
export const PEER = { name: 'peer.test', pair: keyPairFromSeed(Buffer.alloc(32, 9)) };

const some = <T>(values: readonly T[]): Arbitrary<T> => fc.constantFrom(...values);
/** UTF-8, a character a byte. */
const bytes = (text: string) => Buffer.from(text).toString('latin1');
const json = (value: unknown) => bytes(JSON.stringify(value));

const wildText = fc.oneof(
  some(TEXTS),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.tuple(some(TEXTS), some(TEXTS)).map((parts) => parts.join('')),
);
const wildNumber = fc.oneof(
  fc.maxSafeInteger().map(String),
  fc.double().map(String),
  fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }).map(String),
);
const deep = fc
  .tuple(some(['[', '{"a":']), fc.integer({ min: 1, max: 120 }))
  .map(([piece, times]) => `${piece.repeat(times)}1${(piece === '[' ? ']' : '}').repeat(times)}`);
const wild = fc.oneof(
  some(JSON_VALUES),
  wildText.map(json),
  wildNumber,
  deep,
  fc.json({ maxDepth: 3 }).map(bytes),
);

/** A piece of JSON as the schema has it. */
function ofSchema(schema: Schema): Arbitrary<string> {
  const types = typeof schema.type === 'string' ? [schema.type] : schema.type;
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(ofSchema));
  if (types === undefined) return wild;
  if (types.length > 1) {
    return fc.oneof(...types.map((type) => ofSchema({ ...schema, type })));
  }
  switch (types[0]) {
    case 'string':
      return (
        schema.pattern
          ? fc.stringMatching(new RegExp(schema.pattern), { maxLength: 300 })
          : wildText
      ).map(json);
    case 'integer':
      return wildNumber;
    case 'boolean':
      return fc.boolean().map(String);
    case 'array': {
      const entries = schema.prefixItems
        ? fc.tuple(...schema.prefixItems.map(ofSchema))
        : fc.array(schema.items ? ofSchema(schema.items) : wild, { maxLength: 5 });
      return entries.map((list) => `[${list.join(',')}]`);
    }
    case 'object': {
      const members = Object.entries(schema.properties ?? {}).map(([name, member]) =>
        ofSchema(member).map((value) => `${json(name)}:${value}`),
      );
      const further = fc.array(
        fc
          .tuple(some(TEXTS), ofSchema(schema.additionalProperties ?? {}))
          .map(([name, value]) => `${json(name)}:${value}`),
        { maxLength: 2 },
      );
      return fc
        .tuple(fc.tuple(...members), further)
        .map(([own, others]) => `{${[...own, ...others].join(',')}}`);
    }
    default:
      return fc.constant('null');
  }
}

const time = fc.oneof(some([0, 1_700_000_000_000, -1, 9_007_199_254_740_991]), fc.double());

/** What a peer pushes: associations, mostly signed, of which much may be odd. */
const pushed = fc
  .array(
    fc.tuple(
      some(['1', '2', '3', '0', '01', '-1', '9007199254740993', '__proto__']),
      fc
        .record(
          {
            medium: some(['email', 'msisdn', 'x'.repeat(65)]),
            address: fc.oneof(some(['a@b.test', 'faß@faß.example']), wildText),
            mxid: fc.oneof(some(['@a:b.test', null]), wildText),
            ts: time,
            not_before: fc.oneof(time, fc.constant(null)),
            not_after: fc.oneof(time, fc.constant(null)),
            token: fc.jsonValue({ maxDepth: 2 }),
            unsigned: fc.constant({}),
          },
          { requiredKeys: ['medium', 'address', 'ts'] },
        )
        .map((association) => {
          try {
            return json(signJson(association, PEER.name, 'ed25519:0', PEER.pair.sign));
          } catch {
            return json(association);
          }
        }),
    ),
    { maxLength: 4 },
  )
  .map((entries) => `{${entries.map(([id, entry]) => `${json(id)}:${entry}`).join(',')}}`);

type Argument = readonly [name: string, value: string];

interface DescribedArgument {
  readonly name: string;
  readonly schema: Schema;
  readonly isRequired: boolean;
}

function right({ listener }: Route, { name, schema }: DescribedArgument): Arbitrary<string> {
  if (name === 'sgAssocs') return pushed;
  const values = listener === 'admin' ? ADMIN_RIGHT[name] : RIGHT[name];
  return values ? some(values).map(json) : ofSchema(schema);
}

/** What is read from the query of a POST without a body, which nothing describes. */
const UNDESCRIBED = ['sid', 'client_secret', 'token'].map(
  (name): DescribedArgument => ({ name, schema: { type: 'string' }, isRequired: true }),
);

function schemasOf({ operation, method }: Route): DescribedArgument[] {
  const body = operation.requestBody?.content['application/json']?.schema;
  if (method === 'POST' && body === undefined) return UNDESCRIBED;
  return [
    ...operation.parameters
      .filter((one) => one.in === 'query')
      .map(({ name, schema, required: isRequired }) => ({ name, schema, isRequired })),
    ...Object.entries(body?.properties ?? {}).map(([name, schema]) => ({
      name,
      schema,
      isRequired: body?.required?.includes(name) ?? false,
    })),
  ];
}

/** What operators ask for has options of which not all go together. */
const mayLack = ({ listener }: Route, { isRequired }: DescribedArgument) =>
  listener === 'admin' && !isRequired;

/** The endpoint's arguments, most of them right, some odd, missing or given twice. */
function argumentsOf(route: Route): Arbitrary<Argument[]> {
  const described = schemasOf(route).map((argument) =>
    fc
      .oneof(
        { weight: 16, arbitrary: right(route, argument).map((value) => [value]) },
        { weight: 2, arbitrary: ofSchema(argument.schema).map((value) => [value]) },
        { weight: 2, arbitrary: wild.map((value) => [value]) },
        { weight: mayLack(route, argument) ? 16 : 1, arbitrary: fc.constant([]) },
        { weight: 1, arbitrary: fc.tuple(right(route, argument), wild) },
      )
      .map((values) => values.map((value): Argument => [argument.name, value])),
  );
  const further = fc.tuple(
    some(['__proto__', 'room_name', 'sender_display_name', 'org.matrix.web_client_location', 'x']),
    wild,
  );
  return fc
    .tuple(
      fc.tuple(...described),
      fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, fc.array(further, { maxLength: 3 })),
    )
    .map(([own, others]) => [...own.flat(), ...others]);
}

const asText = (value: string): string => {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value, 'latin1').toString());
    return typeof parsed === 'string' ? bytes(parsed) : value;
  } catch {
    return value;
  }
};

const urlencoded = (given: readonly Argument[]) =>
  given
    .map(([name, value]) =>
      [name, asText(value)]
        .map((text) =>
          text.replace(/[^A-Za-z0-9{}._-]/g, (c) => `%${Buffer.from(c, 'latin1').toString('hex')}`),
        )
        .join('='),
    )
    .join('&');

const multipart = (given: readonly Argument[]) =>
  `${given
    .map(
      ([name, value]) =>
        `--X\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${asText(value)}\r\n`,
    )
    .join('')}--X--\r\n`;

const jsonBody = (given: readonly Argument[]) =>
  `{${given.map(([name, value]) => `${json(name)}:${value}`).join(',')}}`;

/** How arguments are written: a query, a content type and a body. */
const WRITTEN: Readonly<Record<string, (given: readonly Argument[]) => [string, string, string]>> =
  {
    json: (given) => ['', 'application/json', jsonBody(given)],
    query: (given) => [`?${urlencoded(given)}`, 'application/json', ''],
    nothing: (given) => [`?${urlencoded(given)}`, 'application/json', 'null'],
    form: (given) => ['', 'application/x-www-form-urlencoded', urlencoded(given)],
    parts: (given) => ['', 'multipart/form-data; boundary=X', multipart(given)],
  };

/** The text, or what becomes of it on a bad way. */
const damaged = (text: string) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(text) },
    fc.nat(text.length).map((length) => text.slice(0, length)),
    fc
      .tuple(fc.nat(text.length), some(['\0', '\xff', '"', '\\', '{', ',', '&', '%', '\r\n']))
      .map(([at, odd]) => text.slice(0, at) + odd + text.slice(at)),
  );

const bearer = (token: string) => [['Authorization', `Bearer ${token}`] as const];
const tokenFor = ({ listener }: Route) => (listener === 'admin' ? '{admin}' : '{access}');

const authorizationFor = (route: Route) =>
  fc.oneof(
    { weight: 8, arbitrary: fc.constant(bearer(tokenFor(route))) },
    {
      weight: 3,
      arbitrary: some([
        [],
        [['Authorization', '{signed}'] as const],
        bearer(route.listener === 'admin' ? '{viewer}' : '{unwilling}'),
        bearer(route.listener === 'admin' ? '{access}' : '{admin}'),
        bearer('nobody'),
      ]),
    },
  );

const mostly = <T>(usual: T, odd: readonly T[], weight = 12) =>
  fc.oneof({ weight, arbitrary: fc.constant(usual) }, some(odd));

/** In which ways arguments come to an endpoint, the usual one first. */
const waysTo = ({ method, operation }: Route) =>
  method === 'GET' || operation.requestBody === undefined
    ? ['query', 'json']
    : Object.keys(WRITTEN);

const pathOf = (route: Route) => route.path.replace(/\{\w+\}/g, 'ed25519:0');

function write(given: readonly Argument[], way: string): [string, string, string] {
  const written = WRITTEN[way];
  if (written === undefined) throw new Error(`Nothing is written as ${way}`);
  return written(given);
}

/** What belongs together: with one of these and another of those, a session is guessed at until it is dead. */
const FITTING: Readonly<Record<string, string>> = { sid: '{validated}', token: '{code}' };
const FITTING_AT: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'sign-ed25519': { token: '{invite}' },
  'refuse-invitations': { token: '{refusal}' },
};

/** Requests that an endpoint may well take. */
export function rightRequestsTo(route: Route): Arbitrary<WireRequest> {
  const fitting = FITTING_AT[route.path.split('/').at(-1) ?? ''] ?? FITTING;
  const given = schemasOf(route).map((argument) => {
    const { name } = argument;
    const value = fitting[name];
    const arbitrary = value === undefined ? right(route, argument) : fc.constant(json(value));
    const written = arbitrary.map((text): Argument[] => [[name, text]]);
    return mayLack(route, argument) ? fc.oneof(written, fc.constant([])) : written;
  });
  return fc.tuple(...given).map((all) => {
    const [query, type, body] = write(all.flat(), waysTo(route)[0] ?? 'json');
    return {
      listener: route.listener,
      method: route.method,
      target: pathOf(route) + query,
      headers: [...bearer(tokenFor(route)), ['Content-Type', type]],
      body,
      framing: 'length',
    };
  });
}

/** Requests to an endpoint, from nearly right to absurd. */
export function requestsTo(route: Route): Arbitrary<WireRequest> {
  const [usual = 'json', ...others] = waysTo(route);
  return fc
    .record({ given: argumentsOf(route), way: mostly(usual, others, 3) })
    .chain(({ given, way }) => {
      const [query, type, body] = write(given, way);
      return fc.record({
        listener: fc.constant(route.listener),
        method: mostly(route.method, METHODS),
        target: fc
          .tuple(
            mostly((at: string) => at, PATHS),
            mostly(query, QUERIES),
          )
          .map(([written, asked]) => written(pathOf(route)) + asked),
        headers: fc
          .tuple(
            authorizationFor(route),
            mostly(type, TYPES).map((value) => [['Content-Type', value] as const]),
            fc.oneof(
              { weight: 3, arbitrary: fc.constant([]) },
              fc.array(some(HEADERS), { maxLength: 3 }),
            ),
          )
          .map((all) => all.flat()),
        body: fc.oneof({ weight: 8, arbitrary: damaged(body) }, some(BODIES)),
        framing: mostly<WireRequest['framing']>('length', ['chunked', 'none']),
      });
    });
}

/** Whether the server can tell where the request ends. */
export const isWhole = ({ headers, framing, body, method }: WireRequest) =>
  method !== 'CONNECT' &&
  (framing !== 'none' || body === '') &&
  !headers.some(([name]) => /^(content-length|transfer-encoding)$/i.test(name));

function framed({ framing }: WireRequest, body: string): string {
  if (framing === 'none') return `\r\n${body}`;
  if (framing === 'length') return `Content-Length: ${body.length}\r\n\r\n${body}`;
  const half = Math.ceil(body.length / 2);
  const chunks = [body.slice(0, half), body.slice(half)]
    .filter((chunk) => chunk !== '')
    .map((chunk) => `${chunk.length.toString(16)};x=y\r\n${chunk}\r\n`);
  return `Transfer-Encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
}

/** The bytes that are sent. @param fill puts in what stands between braces */
export function render(request: WireRequest, fill: (text: string) => string): string {
  const head = [
    `${request.method} ${fill(request.target)} HTTP/1.1`,
    'Host: id.test',
    'Connection: close',
    ...request.headers.map(([name, value]) => `${name}: ${fill(value)}`),
  ];
  return `${head.join('\r\n')}\r\n${framed(request, fill(request.body))}`;
}

const piece = fc.oneof(
  some([
    'GET /health HTTP/1.1\r\nHost: x\r\n\r\n',
    'POST /_matrix/identity/v2/lookup HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}',
    'POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n',
    'GET /metrics HTTP/1.0\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x',
    'GET / HTTP/9.9\r\n\r\n',
    'GET /\r\n\r\n',
    'GET  /  HTTP/1.1\r\nHost: x\r\n\r\n',
    'GET / HTTP/1.1\nHost: x\n\n',
    'GET / HTTP/1.1\r\nHost : x\r\n\r\n',
    'GET / HTTP/1.1\r\nHost: x\r\n folded: y\r\n\r\n',
    'GET / HTTP/1.1\r\nno colon\r\n\r\n',
    'GET / HTTP/1.1\r\n: x\r\n\r\n',
    'GET / HTTP/1.1\r\nA\0: \0\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 600000\r\n\r\n{',
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nA: c\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n',
    'CONNECT id.test:443 HTTP/1.1\r\nHost: x\r\n\r\n',
    'OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n',
    '\r\n\r\n\r\n',
    '\0',
  ]),
  fc
    .tuple(some(['A: b\r\n', 'Cookie: a=b\r\n', ' \r\n', 'X'.repeat(1000)]), fc.nat(2500))
    .map(
      ([line, times]) =>
        `GET / HTTP/1.1\r\nHost: x\r\n${line.repeat(Math.min(times, 60_000 / line.length))}\r\n\r\n`,
    ),
  fc.nat(60).map((times) => 'GET /health HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(times)),
  fc.string({ unit: 'binary', maxLength: 100 }).map(bytes),
);

/** What is sent to a socket without being a request, or is more than one. */
export const nonsense: Arbitrary<{ readonly listener: ListenerName; readonly bytes: string }> =
  fc.record({
    listener: some(LISTENERS),
    bytes: fc
      .tuple(fc.array(piece, { minLength: 1, maxLength: 4 }), fc.nat(), fc.boolean())
      .map(([pieces, cut, isCut]) => {
        const whole = pieces.join('');
        return isCut ? whole.slice(0, cut % (whole.length + 1)) : whole;
      }),
  });
