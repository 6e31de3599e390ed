import type { Routes } from './api-server.ts';
import { endpoint } from './endpoint.ts';
import { type ApiDescription, describeApi } from './openapi.ts';
import { anObject } from './schema.ts';

/** `GET openapi.json`: the description of all endpoints of a listener, and of itself. */
export const openapi = (routes: () => readonly Routes[], title: string, url?: string) => {
  let description: ApiDescription | undefined;
  return endpoint({
    method: 'GET',
    path: '/openapi.json',
    servlet: 'OpenApiServlet',
    summary: 'This description of the API',
    answer: anObject({}),
    fields: {},
    handle() {
      description ??= describeApi(routes(), title, url);
      return description;
    },
  });
};
