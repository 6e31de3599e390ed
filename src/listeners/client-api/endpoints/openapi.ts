import { endpoint } from '../../frame/endpoint.ts';
import { type ApiDescription, describeApi } from '../../frame/openapi.ts';
import { anObject } from '../../frame/schema.ts';
import type { Mount } from '../../frame/server.ts';

/** `GET openapi.json`: the description of all these endpoints, and of itself. */
export const openapi = (mounts: () => readonly Mount[]) => {
  let description: ApiDescription | undefined;
  return endpoint({
    method: 'GET',
    path: '/openapi.json',
    servlet: 'OpenApiServlet',
    summary: 'This description of the API',
    answer: anObject({}),
    fields: {},
    handle() {
      description ??= describeApi(mounts());
      return description;
    },
  });
};
