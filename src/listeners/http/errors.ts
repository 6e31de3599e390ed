import { IdentityError, type IdentityFault } from '../../model/errors.ts';
import { UnavailableError } from '../../platform/unavailable.ts';
import type { ArgumentStyle } from './arguments.ts';

/** An answer that is an error: the specification's `{errcode, error}` with a status. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly errcode: string;
  /** Further members of the body. */
  readonly details: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;

  constructor(
    status: number,
    errcode: string,
    message: string,
    more: {
      details?: Record<string, unknown>;
      headers?: Record<string, string>;
    } & ErrorOptions = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.status = status;
    this.errcode = errcode;
    this.details = more.details ?? {};
    this.headers = more.headers ?? {};
  }

  get body(): Record<string, unknown> {
    return { ...this.details, errcode: this.errcode, error: this.message };
  }
}

/** How something is refused: the status and the errcode. */
export type Refusal = readonly [status: number, errcode: string];

/** What the domain refuses, as status and errcode; v1 keeps some errcodes that the specification renamed. */
const FAULTS: Record<
  IdentityFault,
  readonly [status: number, errcode: string, errcodeInV1?: string]
> = {
  'address-in-use': [400, 'M_THREEPID_IN_USE'],
  'destination-rejected': [400, 'M_DESTINATION_REJECTED'],
  'email-invalid': [400, 'M_INVALID_EMAIL'],
  'email-not-sent': [400, 'M_EMAIL_SEND_ERROR'],
  forbidden: [403, 'M_FORBIDDEN'],
  'homeserver-failed': [502, 'M_UNKNOWN'],
  'homeserver-not-allowed': [403, 'M_UNAUTHORIZED'],
  'invitation-unknown': [404, 'M_UNRECOGNIZED'],
  'key-unknown': [404, 'M_NOT_FOUND'],
  'limit-exceeded': [429, 'M_LIMIT_EXCEEDED'],
  'medium-unrecognised': [400, 'M_UNRECOGNIZED'],
  'not-permitted': [403, 'M_UNAUTHORIZED'],
  overloaded: [503, 'M_LIMIT_EXCEEDED'],
  'parameter-invalid': [400, 'M_INVALID_PARAM'],
  'pepper-invalid': [400, 'M_INVALID_PEPPER'],
  'phone-number-invalid': [400, 'M_INVALID_ADDRESS', 'M_INVALID_PHONE_NUMBER'],
  'session-expired': [400, 'M_SESSION_EXPIRED'],
  'session-not-validated': [400, 'M_SESSION_NOT_VALIDATED'],
  'session-unknown': [404, 'M_NO_VALID_SESSION'],
  'signature-refused': [403, 'M_FORBIDDEN'],
  'sms-not-sent': [400, 'M_SEND_ERROR'],
  'sms-off': [400, 'M_THREEPID_MEDIUM_NOT_SUPPORTED', 'M_SEND_ERROR'],
  'terms-not-accepted': [403, 'M_TERMS_NOT_SIGNED'],
  'terms-unknown': [400, 'M_UNKNOWN'],
  'token-incorrect': [400, 'M_TOKEN_INCORRECT'],
  'token-unknown': [401, 'M_UNAUTHORIZED'],
  'too-many-addresses': [400, 'M_TOO_LARGE'],
};

/** The statuses of faults where an endpoint has its own. */
export type Statuses = Readonly<
  Partial<Record<IdentityFault, number | Readonly<Record<ArgumentStyle, number>>>>
>;

/** Where an error is to be answered. */
export interface AnswerContext {
  readonly version: ArgumentStyle;
  readonly statuses?: Statuses | undefined;
}

/** Status and errcode that answer a fault. */
export function faultAnswer(
  fault: IdentityFault,
  { version, statuses }: AnswerContext,
): [number, string] {
  const [usual, errcode, errcodeInV1 = errcode] = FAULTS[fault];
  const own = statuses?.[fault] ?? usual;
  const status = typeof own === 'number' ? own : own[version];
  return [status, version === 'v1' ? errcodeInV1 : errcode];
}

/** What the HTTP framework refuses, by its error codes. */
const FRAMEWORK: Readonly<Record<string, readonly [number, string, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'M_TOO_LARGE', 'The request body is too large'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, 'M_BAD_JSON', 'Content-Length and body differ'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [400, 'M_NOT_JSON', 'The Content-Type is not a media type'],
  FST_ERR_BAD_URL: [400, 'M_INVALID_PARAM', 'The path is not valid percent-encoded UTF-8'],
};

/** What is wrong with a request of which nothing else is known, by the code of the HTTP parser. */
export function connectionError(code: string | undefined): ApiError {
  if (code === 'HPE_HEADER_OVERFLOW') {
    return new ApiError(431, 'M_TOO_LARGE', 'The headers are too large');
  }
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    return new ApiError(408, 'M_UNKNOWN', 'The request did not come in time');
  }
  return new ApiError(400, 'M_UNRECOGNIZED', 'This is not an HTTP request');
}

/** The header that says in seconds what the member of that name says in milliseconds. */
const retryAfter = (ms: unknown): Record<string, string> =>
  typeof ms === 'number' ? { 'retry-after': String(Math.ceil(ms / 1000)) } : {};

/** How is answered while something that is needed is away, such as the database. */
export const UNAVAILABLE: Refusal = [503, 'M_UNKNOWN'];
/** Seconds after which it is to be asked for again. */
const RETRY_UNAVAILABLE = '5';

/** The answer for whatever went wrong; nothing internal is in it. */
export function toApiError(error: unknown, context: AnswerContext): ApiError {
  if (error instanceof ApiError) return error;
  if (error instanceof IdentityError) {
    const [status, errcode] = faultAnswer(error.fault, context);
    const { details } = error;
    return new ApiError(status, errcode, error.message, {
      details,
      headers: retryAfter(details['retry_after_ms']),
      cause: error,
    });
  }
  if (error instanceof UnavailableError) {
    const [status, errcode] = UNAVAILABLE;
    return new ApiError(status, errcode, 'The server cannot answer for now; try again', {
      headers: { 'retry-after': RETRY_UNAVAILABLE },
      cause: error,
    });
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known = FRAMEWORK[code];
  if (known) return new ApiError(known[0], known[1], known[2], { cause: error });
  return new ApiError(500, 'M_UNKNOWN', 'Internal server error', { cause: error });
}

export const invalidParam = (message: string) => new ApiError(400, 'M_INVALID_PARAM', message);
export const badJson = (message: string) => new ApiError(400, 'M_BAD_JSON', message);
