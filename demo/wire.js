/** Calls of the identity server, each kept with what went over the wire. */

const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function curl({ method, url, token, body }) {
  const parts = [method === 'GET' ? `curl ${quoted(url)}` : `curl -X ${method} ${quoted(url)}`];
  if (token) parts.push(`-H 'Authorization: Bearer ${token}'`);
  if (body) {
    parts.push("-H 'Content-Type: application/json'", `-d ${quoted(JSON.stringify(body))}`);
  }
  return parts.join(' \\\n  ');
}

const pretty = (content) => JSON.stringify(content, null, 2);

/** What people see of an exchange: the request, the answer, and the same by curl. */
export function wireOf({ request, status, answer }) {
  const { method, url, body } = request;
  const { pathname, search } = new URL(url);
  return [
    ['Request', `${method} ${pathname}${search}${body ? `\n\n${pretty(body)}` : ''}`],
    ['Answer', `${status}\n\n${pretty(answer)}`],
    ['The same by curl', curl(request)],
  ];
}

/** Asks the server; the exchange is put into the list. Where it cannot be reached, that is the error. */
export async function call(exchanges, request) {
  const { method, url, token, body } = request;
  const response = await fetch(url, {
    method,
    headers: {
      ...(body ? { 'Content-Type': 'application/json' } : {}),
      ...(token ? { Authorization: `Bearer ${token}` } : {}),
    },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const answer = await response.json();
  exchanges.push({ request, status: response.status, answer });
  return { status: response.status, json: answer };
}

const bytesOf = (base64) =>
  Uint8Array.from(atob(base64.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));

/** As Matrix signs it: keys in order, no blanks. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(',')}}`;
}

/** Whether the signature is the key's; undefined where the browser knows no Ed25519. */
export async function isSigned({ signatures, unsigned, ...content }, publicKey) {
  const [signature] = Object.values(Object.values(signatures)[0]);
  let key;
  try {
    key = await crypto.subtle.importKey('raw', bytesOf(publicKey), 'Ed25519', false, ['verify']);
  } catch {
    return undefined;
  }
  const text = new TextEncoder().encode(canonical(content));
  return crypto.subtle.verify('Ed25519', key, bytesOf(signature), text);
}

/** The hash by which an address is looked up. */
export async function hashOf(address, pepper) {
  const text = new TextEncoder().encode(`${address} email ${pepper}`);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', text));
  const base64 = btoa(String.fromCharCode(...digest));
  return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
