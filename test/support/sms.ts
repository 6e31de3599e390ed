import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';

/** A text message that a provider has taken. */
export interface TakenMessage {
  readonly to: string;
  readonly text: string;
  /** The sender as the provider's API names it. */
  readonly from: unknown;
}

/** A request as it came in. */
export interface Post {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

export interface TestProvider {
  /** Lines of the [sms] section that lead to it. */
  readonly config: string;
  readonly posts: readonly Post[];
  readonly messages: readonly TakenMessage[];
  /** The code in the newest message. */
  lastCode(): string;
  /** From now on it does this with every request; undefined: what its API says. */
  behave(how: Behaviour | undefined): void;
  /** So many requests have been under way together. */
  readonly mostAtOnce: number;
  close(): Promise<void>;
}

interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: object;
  readonly taken?: TakenMessage;
}

async function startProvider(
  config: (url: string) => string,
  api: (post: Post) => Answer,
): Promise<TestProvider> {
  const posts: Post[] = [];
  const messages: TakenMessage[] = [];
  let behaviour: Behaviour | undefined;
  let underWay = 0;
  let mostAtOnce = 0;
  const server = createServer(async (request, response) => {
    mostAtOnce = Math.max(mostAtOnce, ++underWay);
    response.once('close', () => underWay--);
    const { method = '', url = '', headers } = request;
    const post = { method, path: url, headers, body: await text(request).catch(() => '') };
    posts.push(post);
    if (behaviour) return behaviour(request, response);
    const answer = api(post);
    if (answer.taken) messages.push(answer.taken);
    response
      .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
      .end(answer.body && JSON.stringify(answer.body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  return {
    config: config(`http://127.0.0.1:${port}`),
    posts,
    messages,
    lastCode: () => /\b\d{6}\b/.exec(messages.at(-1)?.text ?? '')?.[0] ?? '',
    behave: (how) => {
      behaviour = how;
    },
    get mostAtOnce() {
      return mostAtOnce;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

const basic = (user: string, password: string) =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;

/** Speaks OpenMarket's HTTP API, version 4; numbers that end in 000 it does not like. */
export const startOpenMarket = (): Promise<TestProvider> =>
  startProvider(
    (url) => `username = om-user\npassword = om-hush\nsms.openmarket.url = ${url}/sms/v4/mt`,
    ({ method, path, headers, body }) => {
      const request = { 'x-request-id': 'BAC=DE1396F5-C67B-46CF' };
      const refuse = (status: number, code: string, description: string) => ({
        status,
        headers: request,
        body: { error: { code, description } },
      });
      if (method !== 'POST' || path !== '/sms/v4/mt') return refuse(404, '1', 'No such resource');
      if (headers.authorization !== basic('om-user', 'om-hush')) {
        return refuse(401, '144', 'The account is not known or the password is wrong');
      }
      const { mobileTerminate } = JSON.parse(body);
      const { destination, message, source } = mobileTerminate;
      if (message.type !== 'text') return refuse(400, '163', 'Invalid type');
      if (destination.address.endsWith('000')) {
        return refuse(400, '158', `Invalid address ${destination.address} for ${message.content}`);
      }
      return {
        status: 202,
        headers: { ...request, location: 'https://smsc.test/sms/v4/mt/03155-0331L-1439U-51SLFX' },
        taken: { to: destination.address, text: message.content, from: source },
      };
    },
  );

/** Speaks Twilio's API of 2010-04-01; numbers that end in 000 it does not like. */
export const startTwilio = (sender = 'sms.twilio.from = +15005550006'): Promise<TestProvider> =>
  startProvider(
    (url) =>
      `sms.provider = twilio\nsms.twilio.account_sid = AC0123\nsms.twilio.auth_token = tw-hush\nsms.twilio.url = ${url}/\n${sender}`,
    ({ method, path, headers, body }) => {
      const refuse = (status: number, code: number, message: string) => ({
        status,
        body: { code, message, more_info: `https://www.twilio.com/docs/errors/${code}`, status },
      });
      if (method !== 'POST' || path !== '/2010-04-01/Accounts/AC0123/Messages.json') {
        return refuse(404, 20404, `The requested resource ${path} was not found`);
      }
      if (headers.authorization !== basic('AC0123', 'tw-hush')) {
        return refuse(401, 20003, 'Authenticate');
      }
      const form = new URLSearchParams(body);
      const [to, text] = [form.get('To') ?? '', form.get('Body') ?? ''];
      if (to.endsWith('000')) {
        return refuse(400, 21211, `The 'To' number ${to} is not a valid phone number: ${text}`);
      }
      const from = form.get('From') ?? form.get('MessagingServiceSid');
      if (from === null) return refuse(400, 21603, "A 'From' phone number is required");
      return {
        status: 201,
        body: { sid: 'SM0123456789abcdef', to, body: text, status: 'queued', error_code: null },
        taken: { to, text, from },
      };
    },
  );

/** Checks signatures as docs/operations.md says; numbers that end in 000 it does not like. */
export const startWebhook = (): Promise<TestProvider> =>
  startProvider(
    (url) =>
      `sms.provider = webhook\nsms.webhook.url = ${url}/in?key=1\nsms.webhook.secret = wh-hush`,
    ({ headers, body }) => {
      const expected = `sha256=${createHmac('sha256', 'wh-hush').update(body).digest('hex')}`;
      if (headers['x-cognomen-signature'] !== expected) return { status: 403 };
      const { to, body: text, originator } = JSON.parse(body);
      if (to.endsWith('000')) return { status: 422, body: { reason: `no: ${text}` } };
      return { status: 204, taken: { to, text, from: originator } };
    },
  );
