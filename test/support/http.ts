import { checkAgainstDescription } from './description.ts';

/** An answer, its JSON parsed where it is JSON. */
export interface TestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: answers are asserted on member by member
  readonly json: any;
}

export async function request(url: string, init: RequestInit = {}): Promise<TestAnswer> {
  const response = await fetch(url, { redirect: 'manual', ...init });
  const text = await response.text();
  const isJson = (response.headers.get('content-type') ?? '').startsWith('application/json');
  const { status, headers } = response;
  const json = isJson && text !== '' ? JSON.parse(text) : undefined;
  if (json !== undefined) {
    const authorization = new Headers(init.headers).get('authorization') ?? undefined;
    await checkAgainstDescription(url, init.method ?? 'GET', status, json, authorization);
  }
  return { status, headers, text, json };
}

const bearer = (token: string | undefined): Record<string, string> =>
  token === undefined ? {} : { authorization: `Bearer ${token}` };

export const get = (url: string, query: Record<string, string> = {}, token?: string) => {
  const search = new URLSearchParams(query).toString();
  return request(search === '' ? url : `${url}?${search}`, { headers: bearer(token) });
};

export const postJson = (url: string, body: unknown, token?: string) =>
  request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...bearer(token) },
    body: JSON.stringify(body),
  });

export const postForm = (url: string, fields: Record<string, string>) =>
  request(url, { method: 'POST', body: new URLSearchParams(fields) });
