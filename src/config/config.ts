import type { LimitSettings } from '../model/limits.ts';
import type { LogOptions } from '../platform/logger.ts';
import type { DatabaseConfig } from '../storage/database-config.ts';

/**
 * The configuration, parsed and validated: what the rest of the server is given.
 * One type per section of the file; docs/configuration.md is generated from the keys behind it.
 */
export interface Config {
  /** Path of the file it was read from. */
  readonly file: string;
  readonly general: GeneralConfig;
  readonly access: AccessConfig;
  readonly db: DatabaseConfig;
  readonly http: HttpConfig;
  readonly email: EmailConfig;
  readonly sms: SmsConfig;
  readonly limits: LimitsConfig;
  readonly crypto: CryptoConfig;
  /** By the peer's name: the sections `[peer.NAME]`. */
  readonly peers: ReadonlyMap<string, PeerConfig>;
}

export interface GeneralConfig {
  /** The name that signs; lower case. */
  readonly serverName: string;
  readonly log: LogOptions & {
    /** Whether requests are logged with the address of their client. */
    readonly clientAddress: boolean;
  };
  /** Empty: none is written. */
  readonly pidFile: string;
  /** Empty: no terms. */
  readonly termsPath: string;
  /** 0 or less: none can be looked up. */
  readonly addressLookupLimit: number;
  readonly templatesPath: string;
  readonly defaultBrand: string;
  readonly prometheus: Listener | undefined;
  readonly sentryDsn: string | undefined;
  readonly enableV1Associations: boolean;
  readonly enableV1Access: boolean;
  readonly deleteTokensOnBind: boolean;
  /** Addresses and CIDRs. */
  readonly ipBlacklist: readonly string[];
  readonly ipWhitelist: readonly string[];
  readonly homeserverAllowList: readonly string[];
  /** Hosts with a port and a path maybe: names of this server beside server.name and client_http_base. */
  readonly serverAliases: readonly string[];
  /** Addresses with a port maybe; empty: the system's. */
  readonly dnsServers: readonly string[];
  /** Milliseconds after which a notice that its homeserver never took is given up. */
  readonly noticeLifetime: number;
  /** Milliseconds after which a notice that its homeserver refuses again and again is given up. */
  readonly refusedNoticeLifetime: number;
}

/** What users may do. */
export interface AccessConfig {
  /** Milliseconds that an access token lives unused; 0: for ever. */
  readonly tokenLifetime: number;
  /** Whether v2 lookups take addresses that are not hashed. */
  readonly lookupAllowNone: boolean;
  /** Lower case: those whose users share no limit of lookups. */
  readonly lookupTrustedHomeservers: readonly string[];
}

export interface Listener {
  readonly address: string;
  readonly port: number;
}

export interface InternalListenerConfig extends Listener {
  /** What requests have to show; undefined: nothing. */
  readonly token: string | undefined;
}

export interface HttpConfig {
  readonly clientApi: Listener;
  readonly internalApi: InternalListenerConfig | undefined;
  readonly replication: ReplicationListenerConfig | undefined;
  readonly obeyXForwardedFor: boolean;
  /** Addresses and CIDRs; empty: any proxy is believed. */
  readonly trustedProxies: readonly string[];
  readonly federationVerifyCerts: boolean;
  /** Whether a GET may carry its access token in the query string. */
  readonly queryAccessTokens: boolean;
  /** Deprecated single template file; empty: none. */
  readonly verifyResponseTemplate: string;
  /** Public base URL for links, without a slash at the end. Never empty: `https://` and server.name stand in. */
  readonly clientHttpBase: string;
  /** Schemes beside `http` and `https` that a `next_link` may have; lower case, without colon. */
  readonly nextLinkSchemes: readonly string[];
  /** Whether the page of a mailed link asks for a click before it validates. */
  readonly pageAsksFirst: boolean;
  /** Content-Security-Policy of pages made from operators' templates. */
  readonly pageContentSecurityPolicy: string;
}

export interface ReplicationListenerConfig extends Listener {
  /** One PEM file with key and certificate. */
  readonly certFile: string;
  /** Empty: the system's authorities. */
  readonly caCert: string;
  /** Milliseconds after which an association that a peer refuses is given up; undefined: never. */
  readonly skipRefusedAfter: number | undefined;
}

export interface EmailConfig {
  /** The From header, `{hostname}` filled in. */
  readonly from: string;
  /** The address inside `from`. */
  readonly envelopeFrom: string;
  readonly subject: string;
  /** Raw, with Python's %-format markers. */
  readonly inviteSubject: string;
  readonly inviteSubjectSpace: string;
  readonly smtp: {
    readonly host: string;
    readonly port: number;
    /** Empty: no authentication. */
    readonly username: string;
    readonly password: string;
    readonly tlsMode: 'none' | 'starttls' | 'tls';
  };
  /** The name this server gives itself to the relay and in Message-IDs. */
  readonly hostname: string;
  /** Deprecated single template files; empty: none. */
  readonly template: string;
  readonly inviteTemplate: string;
  readonly defaultWebClientLocation: string;
  /** Base URLs of the web clients that invitations may link to; empty: see the key. */
  readonly webClientAllowList: readonly string[];
  /** Shown at the start; negative: hidden at the end. */
  readonly obfuscateUsernameCharacters: number;
  readonly obfuscateDomainCharacters: number;
  readonly homeserverBlocklist: readonly string[];
  readonly roomBlocklist: readonly string[];
  readonly keywordBlocklist: readonly string[];
  readonly invites: {
    /** Names of store-invite arguments that reach the template beside the specification's. */
    readonly extraFields: readonly string[];
    /** Milliseconds that an invitation stays pending; 0: for ever. */
    readonly expiry: number;
    /** Milliseconds that an invitation's key stays valid once it is no longer pending. */
    readonly keyGrace: number;
  };
}

/** How often things may be done; `settings` holds one entry for each limit that is on. */
export interface LimitsConfig {
  readonly settings: LimitSettings;
  /** Addresses and CIDRs to which limits by client network do not apply. */
  readonly trustedNetworks: readonly string[];
}

export interface Originator {
  readonly type: 'long' | 'short' | 'alpha';
  readonly text: string;
}

/** Who delivers text messages. */
export type SmsProviderConfig = OpenMarketConfig | TwilioConfig | WebhookConfig;

export interface OpenMarketConfig {
  readonly name: 'openmarket';
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** False where neither an account nor another URL is named: as in every file nobody touched. */
  readonly usable: boolean;
}

export interface TwilioConfig {
  readonly name: 'twilio';
  /** Without a slash at the end. */
  readonly url: string;
  readonly accountSid: string;
  readonly authToken: string;
  /** At least one of the two is not empty. */
  readonly from: string;
  readonly messagingServiceSid: string;
}

export interface WebhookConfig {
  readonly name: 'webhook';
  readonly url: string;
  readonly secret: string;
}

export interface SmsConfig {
  readonly bodyTemplate: string;
  readonly provider: SmsProviderConfig;
  /** By calling code, and `default`. Never empty lists. */
  readonly originators: ReadonlyMap<string, readonly Originator[]>;
  /** By calling code. */
  readonly rules: ReadonlyMap<string, 'allow' | 'reject'>;
}

export interface CryptoConfig {
  readonly signingKey: SigningKeyConfig;
  /** Keys that signed before: still served and valid. */
  readonly oldKeys: readonly OldKeyConfig[];
  /** The same with their seeds: they sign invitations still. */
  readonly oldSigningKeys: readonly SigningKeyConfig[];
}

export interface SigningKeyConfig {
  /** The part behind `ed25519:`. */
  readonly version: string;
  /** 32 bytes. */
  readonly seed: Uint8Array;
}

export interface OldKeyConfig {
  readonly version: string;
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
}

export interface PeerConfig {
  /** Without a slash at the end; undefined: `https://NAME:PORT`. */
  readonly baseReplicationUrl: string | undefined;
}
