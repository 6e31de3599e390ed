import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { COMMANDS } from '../../src/cli/commands.ts';
import { help } from '../../src/cli/run.ts';
import type { Key } from '../../src/config/keys.ts';
import { FAMILIES, SECTIONS } from '../../src/config/known-keys.ts';
import { peerKeys } from '../../src/config/sections/peers.ts';
import { LIMITS, type LimitDescription } from '../../src/model/limits.ts';
import { createMetrics } from '../../src/platform/metrics.ts';
import { VERSION } from '../../src/platform/version.ts';
import { createWorkerMetrics } from '../../src/platform/worker-metrics.ts';

const INTRODUCTIONS: Readonly<Record<string, string>> = {
  general: 'The server itself.',
  db: 'Where the data is.',
  http: 'The listeners, and what they tell the world of themselves.',
  email: 'Mails and the relay they go through.',
  sms: 'Text messages.',
  messages: 'What is remembered of mails and text messages.',
  limits: 'How much anybody may do; [limits.md](limits.md) says why, and what is not here.',
  admin:
    'The admin API, who may use it, and the trail of what operators did; [operations.md](operations.md#the-admin-api).',
  crypto: 'The keys that sign.',
};

const inTable = (text: string) => text.replaceAll('|', '\\|');

function defaultOf(key: Key<unknown>): string {
  const from = key.environment ? `\`$${key.environment}\`, else ` : '';
  if (key.firstStart !== undefined) {
    return `\`${key.default}\`; a first start writes \`${inTable(key.firstStart)}\``;
  }
  if (key.defaultNote !== undefined) return from + key.defaultNote;
  if (key.default === undefined) return 'unset';
  return from + (key.default === '' ? 'empty' : `\`${inTable(key.default)}\``);
}

function row(key: Key<unknown>): string {
  const notes = [
    key.own ? '*Cognomen only.*' : '',
    key.deprecated ? '*Deprecated.*' : '',
    key.secret ? '*Secret.*' : '',
  ];
  const about = [...notes, key.about].filter((part) => part !== '').join(' ');
  return `| \`${key.name}\` | ${defaultOf(key)} | ${inTable(about)} |`;
}

function table(
  keys: readonly Key<unknown>[],
  families: readonly { name: string; about: string }[] = [],
) {
  return [
    '| key | default | meaning |',
    '|---|---|---|',
    ...keys.map(row),
    ...families.map((family) => `| \`${family.name}\` | unset | ${inTable(family.about)} |`),
  ].join('\n');
}

test('docs/configuration.md says what the keys say', async () => {
  const sections = Object.entries(SECTIONS).map(([name, keys]) => {
    const families = FAMILIES.filter((family) => family.section === name);
    return `## \`[${name}]\`\n\n${INTRODUCTIONS[name]}\n\n${table(keys, families)}\n`;
  });
  const text = `# Configuration

Cognomen reads the \`sydent.conf\` that you have. The file is named by \`--config\`, else by \`$SYDENT_CONF\`, else it is
\`sydent.conf\` in the working directory; relative paths in it are relative to the working directory too. At the first
start a missing file is written, with every default and a new signing key. \`cognomen check-config\` says what is wrong
with a file, and what in it means nothing.

It holds the key that signs. Of a file that every user of the machine can read the start and \`check-config\` warn, as of the
certificate file for replication and a key file for PostgreSQL; a file that gets a new signing key loses all rights of others,
and keeps its owner, its group and what they may.

It is an INI file as Python's ConfigParser reads it: \`key = value\` or \`key: value\` in a \`[section]\`, keys in any
case, comments on lines of their own that begin with \`#\` or \`;\`, values that go on over indented lines. What stands
in \`[DEFAULT]\` serves every section. \`%(key)s\` in a value stands for another key's value, so a percent sign is
written \`%%\` (not in the two subjects of invitations, which are templates). An empty value counts as not there, unless
it says something of its own. A bad value stops the start; a key that is unknown is a warning. How all this compares
with Sydent, key by key: [from-sydent-config.md](from-sydent-config.md).

What else sets a key, the first of these that does:

1. **The environment**: \`COGNOMEN_<SECTION>_<KEY>\` in capitals, every other character than A–Z and 0–9 an underscore:
   \`COGNOMEN_GENERAL_SERVER_NAME\`, \`COGNOMEN_EMAIL_EMAIL_SMTPHOST\`. Its value is taken as it is, a percent sign too. A variable
   that sets nothing is a warning.
2. **Several files**: \`--config\` may be given again and again. They are read as one, of which later ones win key by key. All
   must be there; a new signing key goes into the last.
3. \`SYDENT_SERVER_NAME\`, \`SYDENT_DB_PATH\` and \`SYDENT_PID_FILE\`, which stand for defaults.

**Secrets**, so marked below, may stand in files of their own: \`KEY_file = path\`, or the variable with \`_FILE\` behind it, such
as \`email.smtppassword_file = /run/secrets/smtp\`. The end of its last line does not count. Such a file is read at the
start, and at \`SIGHUP\` and a reload as far as those read the configuration.

Where the environment, or a file that it names, has the signing key, no file is needed at all and none is written; else
a read-only configuration needs its signing key in it (\`cognomen key generate\` prints one). \`cognomen config show\` tells
each value in force and where it comes from, \`cognomen config defaults\` what there is.

Traces have no keys: OpenTelemetry's variables say whether and where they go ([traces](operations.md#traces)).

${sections.join('\n')}
## \`[peer.NAME]\`

One section for each replication peer that needs one; NAME is the peer's server name.

${table(Object.values(peerKeys('peer.NAME')))}
`;
  await expect(text).toMatchFileSnapshot('../../docs/configuration.md');
});

test('docs/metrics.md lists the metrics there are', async () => {
  const registries = [createMetrics().registry, createWorkerMetrics().registry];
  const all = await Promise.all(registries.map((registry) => registry.getMetricsAsJSON()));
  const metrics = all.flat().map((metric) => {
    const { name, help, type } = metric as unknown as { name: string; help: string; type: string };
    return { name, help, type };
  });
  const own = metrics.filter(({ name }) => /^(cognomen|sydent)_/.test(name));
  const text = `# Metrics

Served at \`/metrics\` when \`prometheus_port\` and \`prometheus_addr\` are set (see [configuration](configuration.md)). The
two that begin with \`sydent_\` are those of Sydent, so that its dashboards go on working; \`servlet\` is Sydent's name of
an endpoint.

| metric | type | meaning |
|---|---|---|
${own.map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`).join('\n')}

Beside them stand the usual ones of the process (\`process_*\`) and of Node.js (\`nodejs_*\`), such as the lag of the event
loop. With several workers all of them are added up, together with those of the process that looks after them (the lag is
averaged); what a worker counted that is gone stays, but for what a killed one counted since the metrics were last read.

## To watch it with

[contrib/prometheus/cognomen-alerts.yaml](../contrib/prometheus/cognomen-alerts.yaml) has alert rules for Prometheus
(\`rule_files\`), [contrib/grafana/cognomen.json](../contrib/grafana/cognomen.json) a dashboard for Grafana (Dashboards, New,
Import). Both take Prometheus' labels as they come; a test compares them with the metrics above. The same listener answers
\`GET /ready\` and \`GET /health\` ([operations.md](operations.md#health)).
`;
  await expect(text).toMatchFileSnapshot('../../docs/metrics.md');
});

test('docs/command-line.md says what --help says', async () => {
  const block = (text: string) => `\`\`\`text\n${text.trimEnd()}\n\`\`\`\n`;
  const commands = COMMANDS.map(({ name, help }) => `## \`cognomen ${name}\`\n\n${block(help)}`);
  const text = `# Command line

What \`cognomen --help\` and \`cognomen COMMAND --help\` print. When to use which: [operations.md](operations.md).

${block(help().replace(VERSION, 'VERSION'))}
${commands.join('\n')}`;
  await expect(text).toMatchFileSnapshot('../../docs/command-line.md');
});

test('docs/limits.md lists every limit', async () => {
  const settings = Object.entries(LIMITS).map(([name, limit]: [string, LimitDescription]) => {
    const marks = [limit.sydent ? 'Sydent’s' : '', limit.fairShare ? 'by fair share' : ''].filter(
      (mark) => mark !== '',
    );
    const rate = limit.rateHz === undefined ? '' : `, ${limit.rateHz} Hz`;
    const size = limit.burst.toLocaleString('en') + (limit.daily ? ' a day' : rate);
    return `| \`${name}\` | how many ${limit.counts} | ${[size, ...marks].join('; ')} |`;
  });
  const table = [
    '| name | what it counts | default (burst, rate) |',
    '|---|---|---|',
    ...settings,
    '| `sms.destinations` | text messages to premium-rate, shared-cost, personal, satellite and non-geographic numbers that no `smsrule` names | refused |',
  ].join('\n');
  const file = new URL('../../docs/limits.md', import.meta.url);
  const text = await readFile(file, 'utf8');
  const [before = '', after = ''] = text.split(/<!-- generated -->[\s\S]*<!-- end -->/);
  await expect(`${before}<!-- generated -->\n${table}\n<!-- end -->${after}`).toMatchFileSnapshot(
    '../../docs/limits.md',
  );
});
