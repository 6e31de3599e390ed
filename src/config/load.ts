import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../platform/operator-error.ts';
import type { Random } from '../platform/random.ts';
import type { Config } from './config.ts';
import { exposedFiles } from './exposed-files.ts';
import { addSigningKey, writeFirstConfig } from './first-start.ts';
import { unknownNames, unknownVariables } from './known-keys.ts';
import { ConfigSyntaxError, type IniFile, parseIni } from './parser.ts';
import { createReader, type ReadValue } from './reader.ts';
import { readAccess } from './sections/access.ts';
import { readAdmin } from './sections/admin.ts';
import { CRYPTO, readCrypto } from './sections/crypto.ts';
import { readDatabase } from './sections/db.ts';
import { readEmail } from './sections/email.ts';
import { readGeneral } from './sections/general.ts';
import { readHttp } from './sections/http.ts';
import { readLimits } from './sections/limits.ts';
import { readLookupPepper } from './sections/lookup-pepper.ts';
import { readMessages } from './sections/messages.ts';
import { readPeers } from './sections/peers.ts';
import { readSelfService } from './sections/self-service.ts';
import { readSms } from './sections/sms.ts';
import { createFiles, type Environment, type Secrets } from './sources.ts';
import { checkWorkers } from './workers.ts';

/** A configuration that the server cannot start with; the message says all that is wrong with it. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError';
  readonly file: string;
  readonly problems: readonly string[];
  /** What was read all the same, with defaults where something is wrong: to look for what else is. */
  readonly read: Pick<LoadedConfig, 'config' | 'warnings'> | undefined;

  constructor(
    file: string,
    problems: readonly string[],
    options?: ErrorOptions & { readonly read?: ConfigError['read'] },
  ) {
    super(
      [`The configuration ${file} cannot be used:`, ...problems.map((p) => `  ${p}`)].join('\n'),
      options,
    );
    this.file = file;
    this.problems = problems;
    this.read = options?.read;
  }
}

export interface LoadOptions extends Environment {
  /** Later ones win, key by key. */
  readonly files: readonly string[];
  readonly random: Random;
}

export interface LoadedConfig {
  readonly config: Config;
  /** What the operator should know of, each on one line. */
  readonly warnings: readonly string[];
  /** Each value in force, as it was given, and where. */
  readonly values: readonly ReadValue[];
  /** What stood in files of secrets. */
  readonly secrets: Secrets;
}

/** A configuration file and what stands in it. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** A configuration and what stands in its files, to read it from again though they may change meanwhile. */
export interface LoadedFiles extends LoadedConfig {
  readonly sources: readonly Source[];
}

function parse(file: string, text: string): IniFile {
  try {
    return parseIni(text);
  } catch (error) {
    if (error instanceof ConfigSyntaxError) {
      throw new ConfigError(file, [error.message], { cause: error });
    }
    throw error;
  }
}

function decodeUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  const line = bytes
    .toString('latin1')
    .split('\n')
    .findIndex((text) => !isUtf8(Buffer.from(text, 'latin1')));
  throw new Error(`line ${line + 1} is not UTF-8`);
}

/** The text, its byte order mark included: it may be written back; undefined where there is no file. @throws ConfigError */
async function readText(file: string): Promise<string | undefined> {
  try {
    return decodeUtf8(await readFile(file));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(file, [`it cannot be read: ${reason}`], { cause: error });
  }
}

/** Reads and validates the text of files, of which later ones win. @throws ConfigError that names every fault. */
export function parseSources(sources: readonly Source[], environment: Environment): LoadedConfig {
  const files = createFiles(sources.map(({ file, text }) => ({ file, ini: parse(file, text) })));
  const reader = createReader(files, environment);
  const general = readGeneral(reader);
  const config: Config = {
    files: sources.map(({ file }) => file),
    general,
    access: readAccess(reader),
    db: readDatabase(reader),
    http: readHttp(reader, general.serverName),
    email: readEmail(reader),
    sms: readSms(reader),
    messages: readMessages(reader),
    limits: readLimits(reader),
    selfService: readSelfService(reader),
    lookupPepper: readLookupPepper(reader),
    admin: readAdmin(reader),
    crypto: readCrypto(reader),
    peers: readPeers(reader),
  };
  checkWorkers(reader, config);
  const unknown = [
    ...unknownNames(files.merged),
    ...unknownVariables(files.merged, environment.env),
  ];
  const warnings = [...unknown, ...reader.warnings];
  if (reader.problems.length > 0) {
    const read = { config, warnings };
    throw new ConfigError(config.files.join(', '), [...new Set(reader.problems)], { read });
  }
  const { values, readSecrets: secrets } = reader;
  return { config, warnings, values, secrets };
}

/** The same of one file. @throws ConfigError */
export const parseConfig = (file: string, text: string, environment: Environment): LoadedConfig =>
  parseSources([{ file, text }], environment);

/** Where the signing key stands: in one of the files, or elsewhere; undefined where there is none. */
const keyIsFrom = ({ values }: LoadedConfig) =>
  values.find(({ key }) => key === CRYPTO.signingKey)?.from;

async function readExisting(files: readonly string[], environment: Environment) {
  const sources: Source[] = [];
  for (const file of files) {
    const text = await readText(file);
    if (text !== undefined) sources.push({ file, text });
    else if (files.length > 1 || !keyIsFrom(parseSources([], environment))) {
      throw new ConfigError(file, ['it does not exist']);
    }
  }
  const loaded = parseSources(sources, environment);
  return { ...withExposed(loaded), sources };
}

/** Reads and validates an existing configuration; changes nothing. @throws ConfigError */
export const readConfig = async (
  files: readonly string[],
  environment: Environment,
): Promise<LoadedConfig> => readExisting(files, environment);

/** Reads an existing configuration that has a signing key; changes nothing. @throws ConfigError */
export async function readConfigWithKey(
  files: readonly string[],
  environment: Environment,
): Promise<LoadedFiles> {
  const loaded = await readExisting(files, environment);
  if (keyIsFrom(loaded) !== undefined) return loaded;
  throw new ConfigError(files.join(', '), [
    'it has no signing key yet: the first start of the server makes one',
  ]);
}

const withExposed = (loaded: LoadedConfig): LoadedConfig => ({
  ...loaded,
  warnings: [...loaded.warnings, ...exposedFiles(loaded.config, loaded.values)],
});

/**
 * Reads the configuration. A file that is missing is written first, where there is but one, and the environment does not
 * say by which key to sign; where there is no signing key, the last file gets one, after the rest has been found good.
 * @throws ConfigError
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedFiles> {
  const loaded = await loadOrWrite(options);
  return { ...withExposed(loaded), sources: loaded.sources };
}

async function loadOrWrite(options: LoadOptions): Promise<LoadedFiles> {
  const { files, random, ...environment } = options;
  const last = files.at(-1) ?? '';
  const refuse = (error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    return new ConfigError(last, [reason], { cause: error });
  };
  if (files.length === 1 && (await readText(last)) === undefined) {
    // What the environment says is found good before it is written down.
    const alone = parseSources([], environment);
    if (keyIsFrom(alone) !== undefined) {
      const silent = `There is no configuration ${last}: what counts are the environment and the defaults`;
      return { ...alone, warnings: [silent, ...alone.warnings], sources: [] };
    }
    const { serverName } = alone.config.general;
    const { env } = environment;
    const text = await writeFirstConfig(last, { env, serverName }, random).catch(
      (error: unknown) => {
        throw refuse(error);
      },
    );
    const sources = [{ file: last, text }];
    const loaded = parseSources(sources, environment);
    const written = `There was no configuration; wrote ${last} with the defaults and a new signing key`;
    return { ...loaded, warnings: [written, ...loaded.warnings], sources };
  }
  const existing = await readExisting(files, environment);
  if (keyIsFrom(existing) !== undefined) {
    return { ...parseSources(existing.sources, environment), sources: existing.sources };
  }
  const before = existing.sources.at(-1)?.text ?? '';
  const text = await addSigningKey(last, before, random).catch((error: unknown) => {
    throw refuse(error);
  });
  const sources = [...existing.sources.slice(0, -1), { file: last, text }];
  const loaded = parseSources(sources, environment);
  // Anything else would sign with a key that is not one.
  if (keyIsFrom(loaded) === undefined)
    throw new Error(`The new signing key cannot be read from ${last}`);
  const added = `Added a new signing key to ${last}`;
  return { ...loaded, warnings: [added, ...loaded.warnings], sources };
}
