import type { Operation } from '../../src/listeners/http/openapi.ts';
import { isWhole, type Route, render, type WireRequest } from './requests.ts';
import { exchange, type WireAnswer } from './wire.ts';
import type { World } from './world.ts';

/** A token's last use is noted whatever for, limits count what comes to nothing, and what is owed to others goes on by itself, and so does a rotation. */
const NEVER_LOOKED_AT =
  /^cognomen_(tokens|notice|peers|state|rotated_keys|buckets|message_events|admin_tokens|audit)|^sqlite_sequence$/;
const SESSION_TABLES = new Set([
  'threepid_validation_sessions',
  'threepid_token_auths',
  'cognomen_sessions',
  'cognomen_session_codes',
]);
/** Wrong guesses are counted, and a session whose message is refused is there for another attempt. */
const TOUCH_SESSIONS = new Set([
  // On a page for people, which has no errcode.
  '',
  'M_TOKEN_INCORRECT',
  'M_SESSION_EXPIRED',
  'M_EMAIL_SEND_ERROR',
  'M_INVALID_EMAIL',
  'M_SEND_ERROR',
  'M_LIMIT_EXCEEDED',
]);

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** What is wrong with the form of an answer, if anything is. */
function faultOf(
  answer: WireAnswer,
  { method, listener }: { readonly method: string; readonly listener: string },
  described: Operation['responses'] = {},
): string | undefined {
  const { status, headers, body } = answer;
  const type = headers.get('content-type');
  if (status >= 500 && (described[status] === undefined || ![502, 503].includes(status))) {
    return 'a 5xx that nobody described';
  }
  if (method === 'HEAD') return body === '' ? undefined : 'a HEAD with a body';
  if (status === 302) return headers.has('location') ? undefined : 'a redirect to nowhere';
  if (method === 'OPTIONS' && listener === 'client' && status === 200) return undefined;
  if (listener === 'metrics' && status === 200) {
    if (body === '{"status":"ok"}' && type === 'application/json') return undefined;
    return type?.startsWith('text/plain') ? undefined : 'metrics that are not text';
  }
  if (described[status]?.content?.['text/html'] && type === 'text/html; charset=utf-8') {
    return undefined;
  }
  // Files of the console, which everybody may have.
  if (listener === 'admin' && status === 200 && headers.has('content-security-policy')) {
    return headers.get('x-content-type-options') === 'nosniff' ? undefined : 'a file to guess at';
  }
  if (type !== 'application/json') return `an answer of type ${type}`;
  const json = Object(parse(body)) as { errcode?: unknown; error?: unknown };
  if (parse(body) === undefined) return 'no JSON';
  const isStandard = typeof json.errcode === 'string' && typeof json.error === 'string';
  return status < 400 || isStandard ? undefined : 'an error that is not the standard one';
}

/** The errcode of what is refused, also where the status does not say so. */
function refusalOf({ status, body }: WireAnswer): string | undefined {
  const { errcode } = Object(parse(body)) as { errcode?: unknown };
  if (typeof errcode === 'string') return errcode;
  return status >= 400 ? '' : undefined;
}

/** Fails when an error was logged that is not just what somebody else answered. */
function checkLog(world: World, from: number): void {
  for (const line of world.logs.slice(from)) {
    const { level, err } = JSON.parse(line) as { level: number; err?: unknown };
    if (level >= 50 && err !== undefined) throw new Error(`logged ${line}`);
  }
}

const inFull = (answers: readonly WireAnswer[], rest: string) =>
  `${JSON.stringify(answers.map((one) => ({ ...one, headers: [...one.headers], body: one.body.slice(0, 500) })))} ${JSON.stringify(rest.slice(0, 500))}`;

/** Fails where a secret is told to whom did not know it, or to the log. */
function checkSecrets(world: World, from: number, sent: string, answers: readonly WireAnswer[]) {
  for (const secret of world.secrets()) {
    const isTold = answers.some(({ body }) => body.includes(secret)) && !sent.includes(secret);
    if (isTold) throw new Error(`a secret is told: ${inFull(answers, '')}`);
    const line = world.logs.slice(from).find((one) => one.includes(secret));
    if (line !== undefined) throw new Error(`a secret is logged: ${line}`);
  }
}

/** Where what a request changes may come to light with the next one. */
const unsettled = new WeakSet<World>();

/** Sends a request, and throws what is wrong with what came of it. */
export async function tryRequest(
  world: World,
  route: Route,
  request: WireRequest,
): Promise<WireAnswer | undefined> {
  const { logs, ledger } = world;
  const logged = logs.length;
  const body = world.fill(request.body);
  const signed = request.headers.some(([, value]) => value === '{signed}')
    ? world.sign(world.fill(request.target), body)
    : '';
  const bytes = render(request, (text) => (text === '{signed}' ? signed : world.fill(text)));
  const { answers, rest, ended } = await exchange(
    world.targets[request.listener],
    bytes,
    isWhole(request) ? 'by server' : 'when silent',
  );
  const seen = () => inFull(answers, rest);
  if (!ended) throw new Error(`no end of the answer: ${seen()}`);
  // What is not even a HEAD, or follows one, is answered with a body.
  const mayHaveRest = request.method === 'HEAD' && rest.includes('This is not an HTTP request');
  if (rest !== '' && !mayHaveRest) throw new Error(`what is not an answer: ${seen()}`);
  const isOwn = request.method === route.method && request.target.startsWith(route.path);
  for (const answer of answers) {
    const described = isOwn ? route.operation.responses : routeResponses(world, request);
    const fault = faultOf(answer, request, described);
    if (fault !== undefined) throw new Error(`${fault}: ${seen()}`);
    if (answer.status === 502 && isAboutReachable(world, bytes)) {
      throw new Error(`a homeserver that answers is said not to: ${seen()}`);
    }
  }
  if (answers.length !== 1 && isWhole(request)) throw new Error(`not one answer: ${seen()}`);
  checkLog(world, logged);
  if (request.listener === 'admin') {
    checkSecrets(world, logged, bytes, answers);
    if (answers.some(({ status }) => status === 429)) await world.forgetLimits();
  }

  const changed = await ledger.changed();
  const [answer] = answers;
  const refusal = answer && refusalOf(answer);
  // What follows a request that is taken may be refused in its place, while that is still worked on.
  const isSettled = !unsettled.delete(world) && isWhole(request);
  if (!isWhole(request)) unsettled.add(world);
  if (refusal !== undefined && isSettled) {
    const stored = changed.filter(
      (table) =>
        !NEVER_LOOKED_AT.test(table) && !(SESSION_TABLES.has(table) && TOUCH_SESSIONS.has(refusal)),
    );
    if (stored.length > 0) throw new Error(`refused, and stored in ${stored}: ${seen()}`);
  }
  if (changed.includes('tokens') || changed.includes('accounts')) {
    await world.renewToken();
    await ledger.changed();
  }
  return answer;
}

/** What the path that was asked for is described to answer, when it is not the endpoint's own. */
function routeResponses(world: World, { method, target, listener }: WireRequest) {
  const path = target
    .replace(/^https?:\/\/[^/]*/, '')
    .replace(/[?#].*$/, '')
    .replace(/(.)\/$/, '$1');
  return world.routes.find(
    (route) => route.listener === listener && route.method === method && route.path === path,
  )?.operation.responses;
}

/** Whether the only homeserver named is the one that answers. */
const isAboutReachable = ({ homeserver }: World, bytes: string) =>
  bytes.includes(`"matrix_server_name":"${homeserver}"`);

/** Sends bytes that need not be a request, and throws what is wrong with what came of it. */
export async function tryBytes(
  world: World,
  listener: WireRequest['listener'],
  bytes: string,
): Promise<void> {
  const logged = world.logs.length;
  const { answers, rest, ended } = await exchange(world.targets[listener], bytes, 'at once');
  if (!ended) throw new Error(`no end: ${inFull(answers, rest)}`);
  if (rest !== '') throw new Error(`what is not an answer: ${inFull(answers, rest)}`);
  for (const answer of answers) {
    // Which of several it answers is not known; those with no body can only be to these.
    const method = answer.body === '' && /OPTIONS|HEAD/.test(bytes) ? 'OPTIONS' : 'GET';
    const fault = faultOf(answer, { method, listener });
    if (fault !== undefined) throw new Error(`${fault}: ${inFull(answers, rest)}`);
  }
  checkLog(world, logged);
}
