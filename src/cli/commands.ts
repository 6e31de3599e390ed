import { checkConfig } from './check-config.ts';
import type { Command } from './command.ts';
import { config } from './config.ts';
import { db } from './db.ts';
import { generateKey } from './generate-key.ts';
import { health } from './health.ts';
import { key } from './key.ts';
import { operationCommands } from './operation-commands.ts';
import { reload } from './reload.ts';
import { serve } from './serve.ts';
import { templates } from './templates.ts';

const OWN: readonly [Command, ...Command[]] = [
  serve,
  reload,
  health,
  checkConfig,
  config,
  generateKey,
  key,
  db,
  templates,
];

/** Every command, in the order of the help. The first is the one that runs when none is named. */
export const COMMANDS: readonly [Command, ...Command[]] = [
  ...OWN,
  ...operationCommands.filter(({ name }) => !OWN.some((own) => own.name === name)),
];
