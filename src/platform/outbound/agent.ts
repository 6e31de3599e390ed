import { Agent, type ClientRequest, type RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** What a request says of the connection it wants. */
export interface ConnectionOptions extends RequestOptions {
  /** Connections of the same key are exchangeable. */
  readonly connectionKey: string;
  readonly dial: () => Promise<Socket>;
}

/** Milliseconds that a connection may be unused. */
const IDLE_TIMEOUT = 5000;
const MAX_IDLE_PER_HOST = 32;
const MAX_IDLE = 256;

/** Gets connections by the request's own `dial`, and may keep them: so many at most, the one unused for longest goes. */
export class OutboundAgent extends Agent {
  readonly #idle = new Set<Socket>();

  constructor({ keepAlive }: { readonly keepAlive: boolean }) {
    super({ keepAlive, maxFreeSockets: MAX_IDLE_PER_HOST, timeout: IDLE_TIMEOUT });
  }

  override getName(options: ConnectionOptions): string {
    return options.connectionKey;
  }

  override createConnection(
    options: ConnectionOptions,
    done?: (error: Error | null, connection: Duplex) => void,
  ): undefined {
    options.dial().then(
      (socket) => {
        socket.once('close', () => this.#idle.delete(socket));
        done?.(null, socket);
      },
      (error) => done?.(error, undefined as unknown as Duplex),
    );
  }

  override keepSocketAlive(socket: Socket): boolean {
    const kept: unknown = super.keepSocketAlive(socket);
    if (kept !== true) return false;
    this.#idle.add(socket);
    const [oldest] = this.#idle;
    if (this.#idle.size > MAX_IDLE) oldest?.destroy();
    return true;
  }

  override reuseSocket(socket: Socket, request: ClientRequest): void {
    this.#idle.delete(socket);
    super.reuseSocket(socket, request);
  }
}
