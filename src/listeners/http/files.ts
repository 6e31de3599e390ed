import type { FastifyInstance, HTTPMethods } from 'fastify';
import { refuseOtherMethods } from './server.ts';

/** A file that a listener serves to everybody: the path is its own, so no request can lead to another. */
export interface ServedFile {
  readonly path: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

/** Registers the files, each by its own path. */
export function serveFiles(app: FastifyInstance, files: readonly ServedFile[]): void {
  const method: HTTPMethods[] = ['GET', 'HEAD'];
  const config = { servlet: 'FileServlet', isOpen: true };
  for (const { path: url, body, headers } of files) {
    app.route({
      method,
      url,
      config,
      handler: (_request, reply) => reply.headers(headers).send(body),
    });
    refuseOtherMethods(app, url, { taken: new Set(method), config });
  }
}
