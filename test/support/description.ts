import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ApiDescription } from '../../src/listeners/http/openapi.ts';

const ajv = new Ajv2020({ strict: false });
const descriptions = new Map<string, Promise<ApiDescription | undefined>>();

async function fetchDescription(origin: string): Promise<ApiDescription | undefined> {
  const response = await fetch(`${origin}/_matrix/identity/openapi.json`).catch(() => undefined);
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
): Promise<void> {
  const { origin, pathname } = new URL(url);
  if (!pathname.startsWith('/_matrix/identity/') || pathname.includes('openapi')) return;
  if (!descriptions.has(origin)) descriptions.set(origin, fetchDescription(origin));
  const description = await descriptions.get(origin);
  const path = description && describedPath(description, pathname);
  const operation = path && description?.paths[path]?.[method.toLowerCase()];
  if (!operation) return;
  const schema = operation.responses[String(status)]?.content?.['application/json']?.schema;
  if (schema === undefined) {
    throw new Error(`${method} ${path} answers ${status}, which its description does not know`);
  }
  if (!ajv.validate(schema, body)) {
    throw new Error(`${method} ${path} ${status}: ${ajv.errorsText()}: ${JSON.stringify(body)}`);
  }
}
