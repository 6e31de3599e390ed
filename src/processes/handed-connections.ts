import type { Worker } from 'node:cluster';

/** What Node tells a worker, and a worker answers, when a connection is handed over. */
interface Handing {
  readonly act?: unknown;
  readonly seq?: unknown;
  readonly ack?: unknown;
}

/**
 * Connections that a worker was handed and did not say to have taken. Node closes its own end of them when the worker
 * has, so never when the worker was killed meanwhile: the client would wait for ever. What is used of Node for it is
 * not documented; should that change, it is as it would be without this.
 * @returns closes them, once the worker has ended
 */
export function handedConnections({ process }: Worker): () => void {
  const handed = new Map<unknown, { close?: () => void }>();
  const send = process.send.bind(process) as (...said: unknown[]) => boolean;
  process.send = (...said: unknown[]) => {
    const [message, connection] = said;
    const { act, seq } = Object(message) as Handing;
    if (act === 'newconn' && connection) handed.set(seq, connection);
    return send(...said);
  };
  process.on('internalMessage', (message: unknown) => {
    handed.delete((Object(message) as Handing).ack);
  });
  return () => {
    for (const connection of handed.values()) connection.close?.();
    handed.clear();
  };
}
