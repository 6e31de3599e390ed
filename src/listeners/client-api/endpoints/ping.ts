import { endpoint } from '../../http/endpoint.ts';
import { anEmptyObject } from '../../http/schema.ts';

/** `GET` of the API's root: whether there is an identity server here. */
export const ping = (servlet: string) =>
  endpoint({
    method: 'GET',
    path: '',
    servlet,
    summary: 'Whether there is an identity server here',
    answer: anEmptyObject,
    fields: {},
    handle: () => ({}),
  });
