import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import pino from 'pino';
import { type App, type AppDependencies, startApp } from '../../src/app/app.ts';
import type { Config } from '../../src/config/config.ts';
import { loadConfig } from '../../src/config/load.ts';
import { type Clock, createClock } from '../../src/platform/clock.ts';
import { secureRandom } from '../../src/platform/random.ts';
import { NAMING_REQUESTS } from '../../src/platform/tracing/scope.ts';
import {
  createDatabase,
  type EngineName,
  type TestDatabase,
  temporaryFolder,
} from './databases.ts';
import { startSmtpServer } from './smtp.ts';

export const SERVER_NAME = 'id.test';
export const SIGNING_KEY = 'ed25519 0 YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1';
export const PUBLIC_KEY = 'XGX0JRS2Af3be3knz2fBiRbApjm2Dh61gXDJA8kcJNI';

/** A clock that stands until it is moved. */
export class TestClock implements Clock {
  #now: number;
  #monotonic: number;
  readonly #clock = createClock(
    () => this.#now,
    () => this.#monotonic,
  );

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
    this.#monotonic = now;
  }

  now = () => this.#clock.now();
  monotonic = () => this.#clock.monotonic();
  latest = () => this.#clock.latest();

  /** Time passes. */
  advance(milliseconds: number): void {
    this.#now += milliseconds;
    this.#monotonic += milliseconds;
  }

  /** The system's time is set anew, by so much later, or earlier where it is negative. */
  step(milliseconds: number): void {
    this.#now += milliseconds;
  }
}

/** Timings by which homeservers have so many milliseconds for a notice. */
export function noticesWithin(milliseconds: number): TestServerOptions['homeserverTimings'] {
  const time = { answer: milliseconds, total: milliseconds };
  return { notice: time, noticeWithInvites: time };
}

/** Lines of configuration by section, beside those every test server has. */
export type Sections = Partial<
  Record<
    | 'general'
    | 'db'
    | 'http'
    | 'email'
    | 'sms'
    | 'messages'
    | 'limits'
    | 'lookup_pepper'
    | 'admin'
    | 'crypto',
    string
  >
>;

export interface TestServer {
  readonly app: App;
  readonly config: Config;
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly internalUrl: string;
  readonly metricsUrl: string;
  /** Where `sections.admin` does not say otherwise there is no admin API. */
  readonly adminUrl: string;
  readonly smtp: Awaited<ReturnType<typeof startSmtpServer>>;
  readonly clock: TestClock;
  readonly logs: string[];
  readonly database: TestDatabase;
  /** An access token of that user, made as Sydent made them. */
  token(userId: string): Promise<string>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export interface TestServerOptions {
  readonly engine?: EngineName;
  /** One that is there already, and stays. */
  readonly database?: TestDatabase;
  readonly sections?: Sections;
  readonly signingKey?: string;
  readonly serverName?: string;
  /** Where it is reached from outside, as it is told; empty: it is not told. */
  readonly clientHttpBase?: string;
  /** What the clock shows at first. */
  readonly now?: number;
  /** Further options of the relay, such as what it refuses. */
  readonly smtp?: Parameters<typeof startSmtpServer>[0];
  /** PEM of the authority that homeservers' certificates are from. */
  readonly trustedCa?: string;
  readonly noticeTimings?: AppDependencies['noticeTimings'];
  readonly connectionTimes?: AppDependencies['connectionTimes'];
  readonly drainLimit?: AppDependencies['drainLimit'];
  readonly homeserverTimings?: AppDependencies['homeserverTimings'];
  readonly outboundLimits?: AppDependencies['outboundLimits'];
  readonly askingPatience?: AppDependencies['askingPatience'];
  /** Variables of OpenTelemetry. */
  readonly env?: AppDependencies['env'];
}

export function renderConfig(sections: Readonly<Record<string, string>>): string {
  return Object.entries(sections)
    .map(([name, lines]) => `[${name}]\n${lines}\n`)
    .join('\n');
}

const url = ({ port }: { port: number }) => `http://127.0.0.1:${port}`;

/** The real server, in this process, with a real relay and database, on free ports. */
export async function startTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { engine = 'sqlite', sections = {} } = options;
  const folder = await temporaryFolder();
  const database = options.database ?? (await createDatabase(engine));
  const smtp = await startSmtpServer(options.smtp ?? {});
  const clock = new TestClock(options.now);
  const logs: string[] = [];
  const logger = pino(
    { ...NAMING_REQUESTS, level: 'debug' },
    { write: (line: string) => void logs.push(line) },
  );

  const file = path.join(folder.path, 'sydent.conf');
  await writeFile(
    file,
    renderConfig({
      general: `server.name = ${options.serverName ?? SERVER_NAME}\npidfile.path =\nprometheus_port = 0\nprometheus_addr = 127.0.0.1\n${sections.general ?? ''}`,
      db: sections.db ?? database.config,
      http: `clientapi.http.bind_address = 127.0.0.1\nclientapi.http.port = 0\ninternalapi.http.bind_address = 127.0.0.1\ninternalapi.http.port = 0\nclient_http_base = ${options.clientHttpBase ?? 'https://id.test'}\n${sections.http ?? ''}`,
      email: `email.from = Cognomen <noreply@{hostname}>\nemail.hostname = id.test\nemail.smtphost = 127.0.0.1\nemail.smtpport = ${smtp.port}\n${sections.email ?? 'email.ratelimit_sender.burst = 1000'}`,
      sms: sections.sms ?? '',
      messages: sections.messages ?? '',
      limits: sections.limits ?? '',
      lookup_pepper: sections.lookup_pepper ?? '',
      admin: sections.admin ?? '',
      crypto: `ed25519.signingkey = ${options.signingKey ?? SIGNING_KEY}\n${sections.crypto ?? ''}`,
    }),
  );
  const load = () =>
    loadConfig({ files: [file], env: {}, hostname: 'id.test', random: secureRandom });
  const { config } = await load();
  const start = async () => {
    const { config, values } = await load();
    return startApp(config, {
      ...options,
      values,
      homeserverTimings: { failure: 0, ...options.homeserverTimings },
      logger,
      clock,
    });
  };
  let app = await start();
  return {
    get app() {
      return app;
    },
    config,
    get url() {
      return url(app.addresses.client);
    },
    get internalUrl() {
      return url(app.addresses.internal ?? { port: 0 });
    },
    get metricsUrl() {
      return url(app.addresses.metrics ?? { port: 0 });
    },
    get adminUrl() {
      return url(app.addresses.admin ?? { port: 0 });
    },
    smtp,
    clock,
    logs,
    database,
    async token(userId) {
      const token = secureRandom.alphanumeric(64);
      await database.execute(
        'insert into accounts (user_id, created_ts) values (?, ?) on conflict do nothing',
        [userId, clock.now()],
      );
      await database.execute('insert into tokens (token, user_id) values (?, ?)', [token, userId]);
      return token;
    },
    async restart() {
      await app.close();
      app = await start();
    },
    async stop() {
      await app.close();
      await smtp.close();
      if (options.database === undefined) await database.drop();
      await folder.remove();
    },
  };
}
