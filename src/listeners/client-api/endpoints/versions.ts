import { endpoint } from '../../http/endpoint.ts';
import { aList, anObject, aString } from '../../http/schema.ts';

const V1_RELEASES = ['r0.1.0', 'r0.2.0', 'r0.2.1', 'r0.3.0'];
const V2_RELEASES = Array.from({ length: 19 }, (_, minor) => `v1.${minor + 1}`);

/** `GET versions`: the releases of the specification that are served. */
export const versions = (servesV1: boolean) =>
  endpoint({
    method: 'GET',
    path: '/versions',
    servlet: 'VersionsServlet',
    summary: 'The releases of the specification that are served',
    answer: anObject({ versions: aList(aString) }),
    fields: {},
    handle: () => ({ versions: [...(servesV1 ? V1_RELEASES : []), ...V2_RELEASES] }),
  });
