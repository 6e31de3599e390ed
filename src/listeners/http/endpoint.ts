import type { IncomingHttpHeaders } from 'node:http';
import type { Caller } from '../../identity/limits/charges.ts';
import type { Operator } from '../../identity/operators/operator.ts';
import type { IdentityFault } from '../../model/errors.ts';
import type { ArgumentStyle, Arguments, Fields } from './arguments.ts';
import type { Refusal, Statuses } from './errors.ts';
import type { Described, Schema } from './schema.ts';

/** Everything a handler is told of a request beside its arguments. */
export interface RequestContext {
  readonly version: ArgumentStyle;
  /** Whose access token came with the request; undefined where none is needed. */
  readonly user: string | undefined;
  /** That token. */
  readonly accessToken: string | undefined;
  /** Who was let in, on a listener for operators. */
  readonly operator: Operator | undefined;
  /** Undefined where the connection has none, such as a Unix socket. */
  readonly clientAddress: string | undefined;
  /** Who asks, for limits. */
  readonly caller: Caller;
  /** The `brand` of the query string, when it can name one. */
  readonly brand: string | undefined;
  /** The Accept-Language header as it came. */
  readonly acceptLanguage: string | undefined;
  readonly headers: Readonly<IncomingHttpHeaders>;
  /** Parts of the path that vary, percent-decoded. */
  readonly pathParameters: Readonly<Record<string, string>>;
  readonly signed: SignedRequest;
}

/** What a homeserver signs when it makes a request, as received. */
export interface SignedRequest {
  readonly method: string;
  /** Path and query. */
  readonly uri: string;
  /** Every Authorization header. */
  readonly authorization: readonly string[];
  /** The JSON body. @throws ApiError `M_BAD_JSON` */
  content(): unknown;
}

/** What a handler answers: an object is sent as JSON with 200. */
export type Answer = object | JsonAnswer | JsonText | PageAnswer | FileAnswer | RedirectAnswer;

export class JsonAnswer {
  readonly status: number;
  readonly body: object;

  constructor(status: number, body: object) {
    this.status = status;
    this.body = body;
  }
}

/** JSON that is written already, sent with 200. */
export class JsonText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** Headers beside the usual ones, or in their place. */
type MoreHeaders = Readonly<Record<string, string>>;

export class PageAnswer {
  readonly status: number;
  readonly html: string;
  readonly contentSecurityPolicy: string;
  readonly headers: MoreHeaders;

  constructor(
    status: number,
    html: string,
    contentSecurityPolicy: string,
    headers: MoreHeaders = {},
  ) {
    this.status = status;
    this.html = html;
    this.contentSecurityPolicy = contentSecurityPolicy;
    this.headers = headers;
  }
}

/** A file that pages show. */
export class FileAnswer {
  readonly type: string;
  readonly bytes: Buffer;
  readonly headers: MoreHeaders;

  constructor(type: string, bytes: Buffer, headers: MoreHeaders = {}) {
    this.type = type;
    this.bytes = bytes;
    this.headers = headers;
  }
}

export class RedirectAnswer {
  readonly location: string;
  readonly headers: MoreHeaders;

  constructor(location: string, headers: MoreHeaders = {}) {
    this.location = location;
    this.headers = headers;
  }
}

/** What a handler may answer where success is described by that schema; undefined: a page. */
type AnswerOf<S extends Schema | undefined> = S extends Schema
  ? Described<S> | JsonAnswer | JsonText
  : PageAnswer | FileAnswer | RedirectAnswer;

interface EndpointDescription<F extends Fields, S extends Schema | undefined> {
  readonly method: 'GET' | 'POST';
  /** Under the root of its API, `:name` for a part that varies; empty for the root itself. */
  readonly path: string;
  /** Sydent's name of it, for the metric that dashboards know; one of that kind where Sydent has none. */
  readonly servlet: string;
  /** What it is for, in one line: for the API description. */
  readonly summary: string;
  /** What the domain may refuse, beside what is wrong with any request. */
  readonly faults?: readonly IdentityFault[];
  /** What it may refuse to a user, and so in v2 only. */
  readonly faultsOfUsers?: readonly IdentityFault[];
  /** All that is wrong with a request, where it is read by rules of its own. */
  readonly refusals?: readonly Refusal[];
  /** The JSON of a success; undefined: a page. */
  readonly answer: S;
  /** The JSON of a 503 that is no refusal, but says what is not well. */
  readonly unavailable?: Schema;
  /** The media type of a success that is neither JSON nor a page. */
  readonly media?: string;
  /** The statuses of faults, where they are not as everywhere. */
  readonly statuses?: Statuses;
  /** What it takes; arguments not named here are ignored. */
  readonly fields: F;
  /**
   * In v2, an access token: of a user who has accepted the terms, or of any.
   * In v1 nobody has one.
   */
  readonly needs?: 'accepted-terms' | 'any-token';
  /** Required arguments that are all in the query string of a POST stand for token and body. */
  readonly queryIsEnough?: boolean;
  /** Bytes, where bodies must be smaller than elsewhere. */
  readonly bodyLimit?: number;
  /** Arguments that are not among the fields are refused, and not ignored. */
  readonly refusesUnknown?: boolean;
  /** Whatever is in the body is not looked at. */
  readonly takesNoBody?: boolean;
  /** How arguments come, where it is not as in the rest of the API version. */
  readonly argumentStyle?: ArgumentStyle;
  /** A GET that changes something: HEAD must not run it. */
  readonly changesOnGet?: boolean;
  /** Runs before the arguments are looked at, and may refuse. */
  admit?(context: RequestContext): Promise<void>;
  /** @param texts every text among the arguments, those that `fields` does not name included. */
  handle(
    args: Arguments<F>,
    context: RequestContext,
    texts: () => ReadonlyMap<string, string>,
  ): AnswerOf<S> | Promise<AnswerOf<S>>;
  /** Answers an error in the endpoint's own way; what it throws is answered in the common one. */
  onError?(error: unknown, context: RequestContext): Answer | Promise<Answer>;
}

export type Endpoint = Omit<EndpointDescription<Fields, Schema | undefined>, 'handle'> & {
  handle(
    args: Arguments<Fields>,
    context: RequestContext,
    texts: () => ReadonlyMap<string, string>,
  ): Answer | Promise<Answer>;
};

/** What the API description needs of one. */
export type DescribedEndpoint = Omit<Endpoint, 'handle'>;

/** One endpoint: its handler's arguments are typed by its fields, its answers by their description. */
export function endpoint<const F extends Fields, S extends Schema | undefined>(
  description: EndpointDescription<F, S>,
): Endpoint {
  return description as unknown as Endpoint;
}
