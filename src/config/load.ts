import { isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { OperatorError } from '../platform/operator-error.ts';
import type { Random } from '../platform/random.ts';
import type { Config } from './config.ts';
import { exposedFiles } from './exposed-files.ts';
import { addSigningKey, writeFirstConfig } from './first-start.ts';
import { unknownNames } from './known-keys.ts';
import { ConfigSyntaxError, type IniFile, parseIni } from './parser.ts';
import { createReader, type Environment } from './reader.ts';
import { readAccess } from './sections/access.ts';
import { hasSigningKey, readCrypto } from './sections/crypto.ts';
import { readDatabase } from './sections/db.ts';
import { readEmail } from './sections/email.ts';
import { readGeneral } from './sections/general.ts';
import { readHttp } from './sections/http.ts';
import { readLimits } from './sections/limits.ts';
import { readPeers } from './sections/peers.ts';
import { readSms } from './sections/sms.ts';
import { checkWorkers } from './workers.ts';

/** A configuration that the server cannot start with; the message says all that is wrong with it. */
export class ConfigError extends OperatorError {
  override readonly name = 'ConfigError';
  readonly file: string;
  readonly problems: readonly string[];

  constructor(file: string, problems: readonly string[], options?: ErrorOptions) {
    super(
      [`The configuration ${file} cannot be used:`, ...problems.map((p) => `  ${p}`)].join('\n'),
      options,
    );
    this.file = file;
    this.problems = problems;
  }
}

export interface LoadOptions extends Environment {
  readonly file: string;
  readonly random: Random;
}

export interface LoadedConfig {
  readonly config: Config;
  /** What the operator should know of, each on one line. */
  readonly warnings: readonly string[];
}

/** A configuration and what stands in its file, to read it from again though the file may change meanwhile. */
export interface LoadedFile extends LoadedConfig {
  readonly text: string;
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
export async function readText(file: string): Promise<string | undefined> {
  try {
    return decodeUtf8(await readFile(file));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError(file, [`it cannot be read: ${reason}`], { cause: error });
  }
}

/** Reads and validates configuration text. @throws ConfigError that names every fault. */
export function parseConfig(file: string, text: string, environment: Environment): LoadedConfig {
  const ini = parse(file, text);
  const reader = createReader(ini, environment);
  const general = readGeneral(reader);
  const config: Config = {
    file,
    general,
    access: readAccess(reader),
    db: readDatabase(reader),
    http: readHttp(reader, general.serverName),
    email: readEmail(reader),
    sms: readSms(reader),
    limits: readLimits(reader),
    crypto: readCrypto(reader),
    peers: readPeers(reader),
  };
  checkWorkers(reader, config);
  if (reader.problems.length > 0) throw new ConfigError(file, [...new Set(reader.problems)]);
  return { config, warnings: [...unknownNames(ini), ...reader.warnings] };
}

async function readExisting(file: string, environment: Environment) {
  const text = await readText(file);
  if (text === undefined) throw new ConfigError(file, ['it does not exist']);
  const loaded = parseConfig(file, text, environment);
  const isKeyed = hasKey(file, text, environment);
  return { loaded: { ...withExposed(loaded, isKeyed), text }, isKeyed };
}

/** Reads and validates an existing configuration; changes nothing. @throws ConfigError */
export const readConfig = async (file: string, environment: Environment): Promise<LoadedConfig> =>
  (await readExisting(file, environment)).loaded;

const hasKey = (file: string, text: string, environment: Environment) =>
  hasSigningKey(createReader(parse(file, text), environment));

/** Reads an existing configuration that has a signing key; changes nothing. @throws ConfigError */
export async function readConfigWithKey(
  file: string,
  environment: Environment,
): Promise<LoadedFile> {
  const { loaded, isKeyed } = await readExisting(file, environment);
  if (isKeyed) return loaded;
  throw new ConfigError(file, [
    'it has no signing key yet: the first start of the server makes one',
  ]);
}

const withExposed = ({ config, warnings }: LoadedConfig, isKeyed: boolean): LoadedConfig => ({
  config,
  warnings: [...warnings, ...exposedFiles(config, isKeyed)],
});

/**
 * Reads the configuration. A file that is missing is written first; one without a signing key gets
 * that line, after the rest of it has been found good.
 * @throws ConfigError
 */
export async function loadConfig(options: LoadOptions): Promise<LoadedFile> {
  const { text, ...loaded } = await loadOrWrite(options);
  return { ...withExposed(loaded, true), text };
}

async function loadOrWrite(options: LoadOptions): Promise<LoadedFile> {
  const { file, random, ...environment } = options;
  const existing = await readText(file);
  const refuse = (error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    return new ConfigError(file, [reason], { cause: error });
  };
  if (existing === undefined) {
    // What the environment says is found good before it is written down.
    const { serverName } = parseConfig(file, '', environment).config.general;
    const { env } = environment;
    const text = await writeFirstConfig(file, { env, serverName }, random).catch(
      (error: unknown) => {
        throw refuse(error);
      },
    );
    const { config, warnings } = parseConfig(file, text, environment);
    const written = `There was no configuration; wrote ${file} with the defaults and a new signing key`;
    return { config, warnings: [written, ...warnings], text };
  }
  const loaded = parseConfig(file, existing, environment);
  if (hasKey(file, existing, environment)) return { ...loaded, text: existing };
  const text = await addSigningKey(file, existing, random).catch((error: unknown) => {
    throw refuse(error);
  });
  // Anything else would sign with a key that is not one.
  if (!hasKey(file, text, environment))
    throw new Error(`The new signing key cannot be read from ${file}`);
  const { config, warnings } = parseConfig(file, text, environment);
  return { config, warnings: [`Added a new signing key to ${file}`, ...warnings], text };
}
