/** Where this server listens. */
export interface Listener {
  readonly address: string;
  readonly port: number;
}

/** The keys that say at which port each listener is. */
export const PORT_KEYS = {
  client: '[http] clientapi.http.port',
  internal: '[http] internalapi.http.port',
  metrics: '[general] prometheus_port',
  replication: '[http] replication.https.port',
  admin: '[admin] admin.http.port',
} as const;
