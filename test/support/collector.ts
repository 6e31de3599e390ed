import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/** A span as it arrived. */
export interface CollectedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly name: string;
  readonly kind: number;
  readonly failed: boolean;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly attributes: Readonly<Record<string, string | number>>;
  readonly resource: Readonly<Record<string, string | number>>;
}

export interface TestCollector {
  readonly url: string;
  readonly spans: readonly CollectedSpan[];
  /** Everything it was sent: requests with their headers. */
  readonly received: readonly { readonly headers: IncomingHttpHeaders; readonly body: string }[];
  /** From now on it answers so; undefined: it takes what it gets. */
  answer(how: ((response: ServerResponse) => void) | undefined): void;
  close(): Promise<void>;
}

interface Value {
  readonly stringValue?: string;
  readonly intValue?: number | string;
  readonly doubleValue?: number;
}
interface Pair {
  readonly key: string;
  readonly value: Value;
}

const record = (pairs: readonly Pair[] = []) =>
  Object.fromEntries(
    pairs.map(({ key, value: { stringValue, intValue, doubleValue } }) => [
      key,
      stringValue ?? Number(intValue ?? doubleValue),
    ]),
  );

function spansOf(body: string): CollectedSpan[] {
  // biome-ignore lint/suspicious/noExplicitAny: as the protocol has it
  return JSON.parse(body).resourceSpans.flatMap(({ resource, scopeSpans }: any) =>
    // biome-ignore lint/suspicious/noExplicitAny: as above
    scopeSpans.flatMap(({ spans }: any) =>
      // biome-ignore lint/suspicious/noExplicitAny: as above
      spans.map((span: any) => ({
        ...span,
        failed: span.status?.code === 2,
        links: span.links ?? [],
        attributes: record(span.attributes),
        resource: record(resource.attributes),
      })),
    ),
  );
}

/** As much of an OpenTelemetry collector as takes traces: OTLP over HTTP, as JSON. */
export async function startCollector(port = 0): Promise<TestCollector> {
  const spans: CollectedSpan[] = [];
  const received: { headers: IncomingHttpHeaders; body: string }[] = [];
  let answering: ((response: ServerResponse) => void) | undefined;
  const server = createServer(async (request, response) => {
    const body = await text(request);
    received.push({ headers: request.headers, body });
    if (answering !== undefined) return answering(response);
    if (request.url !== '/v1/traces') return response.writeHead(404).end();
    spans.push(...spansOf(body));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{"partialSuccess":{}}');
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    received,
    answer(how) {
      answering = how;
    },
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
