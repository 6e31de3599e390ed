import type { Config } from '../config/config.ts';
import { ConfigError, readConfig } from '../config/load.ts';
import { surroundings } from '../config/surroundings.ts';
import { canSendSms } from '../delivery/sms/sms.ts';
import { LIMITS } from '../model/limits.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** What the configuration, as it is on disk by now, is warned of. */
export async function checkText({ files }: Config): Promise<Finding[]> {
  const about = 'configuration';
  if (files.length === 0) return [ok(about, 'all is from the environment, and defaults')];
  try {
    const { warnings } = await readConfig(files, surroundings());
    return [
      ok(about, `${files.join(', ')} can be read`),
      ...warnings.map((text) => warning(about, text)),
    ];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const remedy = 'cognomen check-config says all of it; a restart would fail';
    return error.problems.map((text) => problem(about, text, remedy));
  }
}

/** Whether limits refuse, and which are off. */
function checkLimits({ limits }: Config): Finding[] {
  const { settings } = limits;
  const counting = Object.values(settings).filter((setting) => setting?.refuses === false);
  const off = Object.keys(LIMITS).filter(
    (name) => settings[name as keyof typeof LIMITS] === undefined,
  );
  const findings: Finding[] = [];
  if (counting.length > 0) {
    findings.push(
      warning(
        '[general] limits.enforce',
        `${counting.length} limits only count, and let everything through`,
        'look at cognomen_limit_exceeded_total for some days, then set it to true',
      ),
    );
  }
  if (off.length > 0) {
    const remedy = 'give each a burst, unless that is meant';
    findings.push(warning('[limits]', `these are off: ${off.join(', ')}`, remedy));
  }
  return findings.length > 0 ? findings : [ok('[limits]', 'all refuse')];
}

const isEverything = (network: string) => /\/0$/.test(network);

/** What lets more through than is safe, and what is switched off that many want. */
export function checkSettings(config: Config): Finding[] {
  const { general, http, limits, sms } = config;
  const findings = checkLimits(config);
  if (http.obeyXForwardedFor && http.trustedProxies.some(isEverything)) {
    findings.push(
      problem(
        '[http] trusted_proxies',
        'any address may say in X-Forwarded-For who the client is, so limits by network mean nothing',
        'name the addresses of the proxies alone',
      ),
    );
  }
  if (limits.trustedNetworks.some(isEverything)) {
    findings.push(
      problem(
        '[general] limits.trusted_networks',
        'limits by network apply to nobody',
        'name the networks of your own homeservers alone',
      ),
    );
  }
  if (general.ipWhitelist.some(isEverything)) {
    findings.push(
      problem(
        '[general] ip.whitelist',
        'homeservers can make this server ask any address, those of your own network too',
        'name single addresses, or none',
      ),
    );
  }
  if (!http.federationVerifyCerts) {
    findings.push(
      problem(
        '[http] federation.verifycerts',
        'whoever is on the way can answer for a homeserver, and so log in as its users',
        'set it to true',
      ),
    );
  }
  const allowed = general.homeserverAllowList;
  findings.push(
    ok(
      '[general] homeserver_allow_list',
      allowed.length === 0
        ? 'users of any homeserver may have an account'
        : `users of ${allowed.length} homeservers may have an account`,
    ),
    ok(
      '[sms] sms.provider',
      canSendSms(sms) ? `text messages go by ${sms.provider.name}` : 'text messages are off',
    ),
  );
  return findings;
}
