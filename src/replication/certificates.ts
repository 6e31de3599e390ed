import { hash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext, getCACertificates } from 'node:tls';
import { ConfigError } from '../config/load.ts';
import type { ReplicationListenerConfig } from '../config/sections/replication-listener.ts';
import type { TlsIdentity } from '../platform/outbound/dialer.ts';

/** With what this server shows itself to peers, in both directions, and whom it trusts to vouch for them. */
export interface Certificates {
  /** PEM: the key, and the certificate with those above it. */
  readonly key: string;
  readonly cert: string;
  /** PEM. */
  readonly ca: readonly string[];
}

/** What Node takes for both ends of a connection. */
export const tlsOptions = ({ key, cert, ca }: Certificates) => ({
  key,
  cert,
  ca: [...ca],
  minVersion: 'TLSv1.2' as const,
});

/** The same for requests to peers. */
export const identityOf = (certificates: Certificates): TlsIdentity => ({
  context: createSecureContext(tlsOptions(certificates)),
  id: hash('sha256', JSON.stringify(certificates)),
});

function systemAuthorities(): string[] {
  const system = getCACertificates('system');
  return system.length > 0 ? system : getCACertificates('bundled');
}

/**
 * Reads the certificate files.
 * @param configFile for the message of the error.
 * @throws ConfigError when one cannot be read or is not a certificate.
 */
export function readCertificates(
  { certFile, caCert }: ReplicationListenerConfig,
  configFile: string,
): Certificates {
  const attempt = <T>(key: string, file: string, work: () => T): T => {
    try {
      return work();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new ConfigError(configFile, [`[http] replication.https.${key}: ${file}: ${reason}`], {
        cause: error,
      });
    }
  };
  const pem = attempt('certfile', certFile, () => {
    const text = readFileSync(certFile, 'utf8');
    createSecureContext({ key: text, cert: text });
    return text;
  });
  const ca =
    caCert === ''
      ? systemAuthorities()
      : attempt('cacert', caCert, () => {
          const text = readFileSync(caCert, 'utf8');
          new X509Certificate(text);
          createSecureContext({ ca: text });
          return [text];
        });
  return { key: pem, cert: pem, ca };
}

/** The host names and addresses a certificate is for, its Common Name first; in lower case. */
export function namesOf(certificate: {
  readonly commonNames: readonly string[];
  /** As Node writes them: `DNS:a, IP Address:192.0.2.1`; names that could mislead are quoted. */
  readonly alternativeNames: string | undefined;
}): string[] {
  const alternatives = (certificate.alternativeNames ?? '')
    .split(', ')
    .map((entry) => /^(?:DNS|IP Address):([A-Za-z0-9._:-]+)$/.exec(entry)?.[1])
    .filter((name) => name !== undefined);
  return [...new Set([...certificate.commonNames, ...alternatives].map((n) => n.toLowerCase()))];
}

/** What an operator should know of this server's certificate, each on one line. */
export function certificateWarnings(
  { cert }: Certificates,
  serverName: string,
  now: number,
): string[] {
  const certificate = new X509Certificate(cert);
  const commonNames = [...certificate.subject.matchAll(/^CN=(.*)$/gm)].map(([, name = '']) => name);
  const names = namesOf({ commonNames, alternativeNames: certificate.subjectAltName });
  const warnings: string[] = [];
  // Sydent compares it letter by letter.
  if (commonNames[0] !== serverName) {
    warnings.push(
      `[http] replication.https.certfile: the Common Name is ${commonNames[0] ?? 'missing'}; Sydent peers go by it and expect ${serverName}`,
    );
  }
  if (!names.includes(serverName.toLowerCase())) {
    warnings.push(
      `[http] replication.https.certfile: the certificate is not for ${serverName}; peers will not know this server`,
    );
  }
  if (Date.parse(certificate.validTo) < now) {
    warnings.push(
      `[http] replication.https.certfile: the certificate expired on ${certificate.validTo}`,
    );
  }
  return warnings;
}
