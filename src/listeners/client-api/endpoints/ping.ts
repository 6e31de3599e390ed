import { endpoint } from '../../frame/endpoint.ts';

/** `GET` of the API's root: whether there is an identity server here. */
export const ping = (servlet: string) =>
  endpoint({ method: 'GET', path: '', servlet, fields: {}, handle: () => ({}) });
