import type { ClientRequest, RequestOptions } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { Agent } from '../node-http.ts';

/** What a request says of the connection it wants. */
export interface ConnectionOptions extends RequestOptions {
  /** Connections of the same key are exchangeable. */
  readonly connectionKey: string;
  readonly dial: () => Promise<Socket>;
}

/** Which unused connections are kept. */
export interface IdleLimits {
  readonly perHost: number;
  readonly overall: number;
  /** Milliseconds. */
  readonly timeout: number;
}

/** Gets connections by the request's own `dial`, and may keep them: so many at most, the one unused for longest goes. */
export class OutboundAgent extends Agent {
  readonly #idle = new Set<Socket>();

  readonly #limit: number;

  /** Without limits none is kept. */
  constructor(limits?: IdleLimits) {
    super(
      limits ? { keepAlive: true, maxFreeSockets: limits.perHost, timeout: limits.timeout } : {},
    );
    this.#limit = limits?.overall ?? 0;
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
    if (this.#idle.size > this.#limit) oldest?.destroy();
    return true;
  }

  override reuseSocket(socket: Socket, request: ClientRequest): void {
    this.#idle.delete(socket);
    super.reuseSocket(socket, request);
  }
}
