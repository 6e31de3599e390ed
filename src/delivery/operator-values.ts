import type { Config } from '../config/config.ts';
import type { TemplateValues } from './templates/template.ts';

/** Who runs the server, as every template gets to know it. */
export function operatorValues({ general }: Pick<Config, 'general'>): TemplateValues {
  const { name, privacyUrl, contact } = general.operator;
  const isUrl = /^https?:/i.test(contact);
  return {
    server_name: general.serverName,
    operator_name: name,
    operator_privacy_url: privacyUrl,
    operator_contact: contact,
    operator_contact_url: isUrl || contact === '' ? contact : `mailto:${encodeURI(contact)}`,
  };
}
