/** Where this server listens. */
export interface Listener {
  readonly address: string;
  readonly port: number;
}
