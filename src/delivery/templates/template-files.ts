import type { BigIntStats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { LRUCache } from 'lru-cache';
import type { Logger } from 'pino';
import type { Clock } from '../../platform/clock.ts';
import { createSingleFlight } from '../../platform/single-flight.ts';
import { compileTemplate, type Render, type TemplateSource } from './template.ts';

/** Templates in files, compiled once and again when their file has changed. */
export interface TemplateFiles {
  /**
   * The template in that file as it is on disk now; undefined when there is no such file. Where a changed
   * one cannot be used, it makes what the last one that could be used makes.
   */
  find(file: string, syntax: TemplateSource['syntax']): Promise<Render | undefined>;
}

export interface TemplateFilesDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Entry {
  /** What the file system said of the file before it was read. */
  readonly state: string;
  /** Whether a later change would show in the state. */
  readonly isSettled: boolean;
  /** What stood in it, or what says why it could not be read. */
  readonly text: string | Render;
  readonly render: Render;
  /** Of all versions of the file, the last that made something. */
  readonly proven: { render: Render | undefined };
}

/** Brands come with requests: what is kept has an end, even where a file has many names. */
const MAX_FILES = 200;
/** Milliseconds: two changes within a tick of the file system's clock look like one. */
const SETTLING = 2500;

const isMissing = (error: unknown) =>
  error instanceof Error && 'code' in error && ['ENOENT', 'ENOTDIR'].includes(String(error.code));

async function ifThere<T>(outcome: Promise<T>): Promise<T | undefined> {
  try {
    return await outcome;
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

const stateOf = ({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats) =>
  [dev, ino, size, mtimeNs, ctimeNs].join(' ');

const failing = (error: unknown): Render => {
  return () => {
    throw error;
  };
};

function compile(source: TemplateSource): Render {
  try {
    return compileTemplate(source);
  } catch (error) {
    return failing(error);
  }
}

export function createTemplateFiles({ clock, logger }: TemplateFilesDependencies): TemplateFiles {
  const entries = new LRUCache<string, Entry>({ max: MAX_FILES });
  const loading = createSingleFlight<Entry | undefined>();

  function keep(file: string, entry: Entry): Entry {
    entries.set(file, entry);
    return entry;
  }

  /** With the last version that made something in its place until it has made something itself. */
  function covered(version: Render, proven: Entry['proven']): Render {
    let isReported = false;
    return (values, words) => {
      try {
        const made = version(values, words);
        proven.render = version;
        return made;
      } catch (error) {
        if (proven.render === undefined || proven.render === version) throw error;
        if (!isReported) {
          logger.error(
            { err: error },
            'A changed template cannot be used; the former one still is',
          );
        }
        isReported = true;
        return proven.render(values, words);
      }
    };
  }

  async function load(
    file: string,
    syntax: TemplateSource['syntax'],
    stats: BigIntStats,
  ): Promise<Entry | undefined> {
    const state = stateOf(stats);
    const before = clock.now() - SETTLING;
    const text = await ifThere(readFile(file, 'utf8')).catch(failing);
    if (text === undefined) return undefined;
    const former = entries.get(file);
    const isText = typeof text === 'string';
    // One that cannot be read now may be read again without any change to it.
    const isSettled = isText && Number(stats.ctimeMs) < before;
    if (former !== undefined && former.text === text) {
      return keep(file, { ...former, state, isSettled });
    }
    const version = isText ? compile({ file, text, syntax }) : text;
    const proven = former?.proven ?? { render: undefined };
    return keep(file, { state, isSettled, text, render: covered(version, proven), proven });
  }

  return {
    async find(file, syntax) {
      const stats = await ifThere(stat(file, { bigint: true }));
      if (stats === undefined) {
        entries.delete(file);
        return undefined;
      }
      const known = entries.get(file);
      if (known?.isSettled && known.state === stateOf(stats)) return keep(file, known).render;
      const loaded = await loading(`${file}\0${stateOf(stats)}`, () => load(file, syntax, stats));
      return loaded?.render;
    },
  };
}
