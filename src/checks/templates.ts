import pino from 'pino';
import type { Config } from '../config/config.ts';
import { brandsOf } from '../delivery/delivery.ts';
import { faultsOfLogo } from '../delivery/logo.ts';
import type { Clock } from '../platform/clock.ts';
import { type Finding, ok, problem, warning } from './finding.ts';

/** Tries every template there is. */
export async function checkTemplates(config: Config, clock: Clock): Promise<Finding[]> {
  const brands = brandsOf(config, { clock, logger: pino({ level: 'silent' }) });
  const findings = [
    ...[...(await brands.missing()), ...(await faultsOfLogo(config.general.operator.logo))].map(
      (fault) => {
        const [about = '', ...said] = fault.split(': ');
        return warning(about, said.join(': '), 'name what is there, or make it');
      },
    ),
    ...(await brands.check()).map((fault) =>
      problem('[general] templates.path', fault, 'mend the file: it is read for each mail'),
    ),
  ];
  if (findings.length > 0) return findings;
  return [ok('[general] templates.path', 'all templates can be used')];
}
