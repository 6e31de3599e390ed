import { X509Certificate } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { ConfigError } from '../config/load.ts';
import { certificateWarnings, readCertificates } from '../replication/certificates.ts';
import { type Finding, ok, problem, reasonOf, warning } from './finding.ts';

const KEY = '[http] replication.https.certfile';
const DAY = 24 * 60 * 60 * 1000;
/** Days before its end that a certificate should have been renewed. */
const SOON = 14;

/** The certificate that peers know this server by; nothing where there is no replication. */
export function checkCertificates({ http, general }: Config, now: number): Finding[] {
  const { replication } = http;
  if (replication === undefined) return [];
  const renew = 'put a new certificate and its key into the file, and send SIGHUP';
  try {
    const certificates = readCertificates(replication, '');
    const odd = certificateWarnings(certificates, general.serverName, now);
    const end = Date.parse(new X509Certificate(certificates.cert).validTo);
    const days = Math.floor((end - now) / DAY);
    const until = new Date(end).toISOString();
    return [
      ...odd.map((text) =>
        (days < 0 ? problem : warning)(KEY, text.replace(`${KEY}: `, ''), renew),
      ),
      ...(days < 0
        ? []
        : [
            days < SOON
              ? warning(KEY, `the certificate ends in ${days} days, on ${until}`, renew)
              : ok(KEY, `the certificate is good until ${until}`),
          ]),
    ];
  } catch (error) {
    const [about = KEY, ...said] = (error instanceof ConfigError ? error.problems : [])
      .join()
      .split(': ');
    const right =
      about === KEY
        ? 'name one PEM file with the private key and the certificate, that the server may read'
        : 'name a PEM file with the certificate of the authority, that the server may read';
    return [problem(about, said.join(': ') || reasonOf(error), right)];
  }
}
