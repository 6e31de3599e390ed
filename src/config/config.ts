import type { DatabaseConfig } from '../storage/database-config.ts';
import type { AccessConfig } from './sections/access.ts';
import type { AdminConfig } from './sections/admin.ts';
import type { CryptoConfig } from './sections/crypto.ts';
import type { EmailConfig } from './sections/email.ts';
import type { GeneralConfig } from './sections/general.ts';
import type { HttpConfig } from './sections/http.ts';
import type { LimitsConfig } from './sections/limits.ts';
import type { LookupPepperConfig } from './sections/lookup-pepper.ts';
import type { MessagesConfig } from './sections/messages.ts';
import type { PeerConfig } from './sections/peers.ts';
import type { SmsConfig } from './sections/sms.ts';

/**
 * The configuration, parsed and validated: what the rest of the server is given.
 * Each section of the file has its type, beside its keys, in sections/; docs/configuration.md is made from the keys.
 */
export interface Config {
  /** Paths of the files it was read from; later ones win. None: all is from the environment, and defaults. */
  readonly files: readonly string[];
  readonly general: GeneralConfig;
  readonly access: AccessConfig;
  readonly db: DatabaseConfig;
  readonly http: HttpConfig;
  readonly email: EmailConfig;
  readonly sms: SmsConfig;
  readonly messages: MessagesConfig;
  readonly limits: LimitsConfig;
  /** Whether the owners' page is served. */
  readonly selfService: boolean;
  readonly lookupPepper: LookupPepperConfig;
  readonly admin: AdminConfig;
  readonly crypto: CryptoConfig;
  /** By the peer's name: the sections `[peer.NAME]`. */
  readonly peers: ReadonlyMap<string, PeerConfig>;
}
