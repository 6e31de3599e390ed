import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ApiDescription } from '../../src/listeners/http/openapi.ts';

const ajv = new Ajv2020({ strict: false });
const descriptions = new Map<string, Promise<ApiDescription | undefined>>();

const ROOTS = ['/_matrix/identity', '/_cognomen/admin/v1'];

async function fetchDescription(
  url: string,
  authorization: string | undefined,
): Promise<ApiDescription | undefined> {
  const headers = authorization === undefined ? {} : { authorization };
  const response = await fetch(url, { headers }).catch(() => undefined);
  if (response?.status !== 200) return undefined;
  return (await response.json()) as ApiDescription;
}

/** The path as described, parts that vary named. */
function describedPath(description: ApiDescription, path: string): string | undefined {
  const bare = path.replace(/(.)\/$/, '$1');
  if (description.paths[bare] !== undefined) return bare;
  return Object.keys(description.paths).find((candidate) => {
    const pattern = candidate.replace(/[.]/g, '\\.').replace(/\{\w+\}/g, '[^/]+');
    return new RegExp(`^${pattern}$`).test(bare);
  });
}

/** Fails when a server's answer is not what its own description of the API says. */
export async function checkAgainstDescription(
  url: string,
  method: string,
  status: number,
  body: unknown,
  authorization?: string,
): Promise<void> {
  const { origin, pathname } = new URL(url);
  const root = ROOTS.find((one) => pathname.startsWith(`${one}/`));
  if (root === undefined || pathname.includes('openapi')) return;
  const where = `${origin}${root}/openapi.json`;
  const known = descriptions.get(where) ?? fetchDescription(where, authorization);
  descriptions.set(where, known);
  const description = await known;
  // Who may not read it now may later.
  if (description === undefined && root !== ROOTS[0]) descriptions.delete(where);
  const path = description && describedPath(description, pathname);
  const operation = path && description?.paths[path]?.[method.toLowerCase()];
  if (!operation) return;
  const schema = operation.responses[String(status)]?.content?.['application/json']?.schema;
  if (schema === undefined) {
    throw new Error(`${method} ${path} answers ${status}, which its description does not know`);
  }
  const { components } = description;
  if (!ajv.validate({ ...schema, components }, body)) {
    throw new Error(`${method} ${path} ${status}: ${ajv.errorsText()}: ${JSON.stringify(body)}`);
  }
}
