import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { isBrandName } from '../../identity/brand.ts';
import {
  compileTemplate,
  type Render,
  type TemplateSource,
  type TemplateValues,
} from './template.ts';

export type TemplateKind = 'verification' | 'invite' | 'migration' | 'page' | 'confirm';

export interface BrandsConfig {
  /** The operator's folder, one folder a brand in it. */
  readonly templatesPath: string;
  readonly defaultBrand: string;
  /** Deprecated single files that win over every brand's; empty: none. */
  readonly singleFiles: Readonly<Partial<Record<TemplateKind, string>>>;
}

export interface FoundTemplate {
  readonly render: Render;
  /** Whether it is one of those that come with the server. */
  readonly builtIn: boolean;
}

export interface Brands {
  /**
   * The template of that brand, as it is on disk now; the default brand's for a brand nobody has.
   * @throws TemplateError
   */
  find(kind: TemplateKind, brand: string | undefined): Promise<FoundTemplate>;
  /** Tries every brand's templates; what is wrong with them, one line each. */
  check(): Promise<string[]>;
}

const BUILT_IN = fileURLToPath(new URL('../../../res', import.meta.url));
const BUILT_IN_BRANDS = ['matrix-org', 'vector-im'];
const FALLBACK_BRAND = 'matrix-org';

/** The files of a kind, the first that exists wins. */
const FILES: Record<TemplateKind, readonly string[]> = {
  verification: ['verification_template.eml.j2', 'verification_template.eml'],
  invite: ['invite_template.eml.j2', 'invite_template.eml'],
  migration: ['migration_template.eml.j2', 'migration_template.eml'],
  page: ['verify_response_template.html'],
  confirm: ['confirm_template.html'],
};

/** To try templates with. */
const SAMPLE: TemplateValues = Object.fromEntries(
  [
    ...['messageid', 'date', 'to', 'from', 'multipart_boundary', 'ipaddress', 'link', 'token'],
    ...[
      'message',
      'action',
      'mxid',
      'subject_header_value',
      'sender_display_name',
      'room_id',
      'room_name',
    ],
    ...[
      'web_client_location',
      'web_client_host',
      'bracketed_verified_sender',
      'bracketed_room_name',
    ],
  ].map((name) => [name, name]),
);

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

async function sourceIn(folder: string, kind: TemplateKind): Promise<TemplateSource | undefined> {
  for (const name of FILES[kind]) {
    const file = path.join(folder, name);
    const text = await readIfThere(file);
    if (text !== undefined) {
      return { file, text, syntax: name.endsWith('.j2') ? 'jinja' : 'percent' };
    }
  }
  return undefined;
}

export function createBrands(config: BrandsConfig): Brands {
  const { templatesPath, defaultBrand, singleFiles } = config;
  // Started from its own folder, the default `res` is the built-in one.
  const isBuiltInFolder = path.resolve(templatesPath) === path.resolve(BUILT_IN);
  const operatorFolder = (brand: string) => path.join(templatesPath, brand);
  const builtInFolder = (brand: string) => path.join(BUILT_IN, brand);

  const exists = async (brand: string) =>
    BUILT_IN_BRANDS.includes(brand) ||
    (await stat(operatorFolder(brand)).catch(() => undefined))?.isDirectory() === true;

  async function source(
    kind: TemplateKind,
    asked: string | undefined,
  ): Promise<{ source: TemplateSource; builtIn: boolean }> {
    const single = singleFiles[kind];
    if (single) {
      const text = await readFile(single, 'utf8');
      return { source: { file: single, text, syntax: 'percent' }, builtIn: false };
    }
    const known = asked !== undefined && isBrandName(asked) && (await exists(asked));
    const brands = [...new Set([...(known ? [asked] : []), defaultBrand])];
    for (const brand of brands) {
      const own = await sourceIn(operatorFolder(brand), kind);
      if (own !== undefined) return { source: own, builtIn: isBuiltInFolder };
      if (!BUILT_IN_BRANDS.includes(brand)) continue;
      const stock = await sourceIn(builtInFolder(brand), kind);
      if (stock !== undefined) return { source: stock, builtIn: true };
    }
    const stock = await sourceIn(builtInFolder(FALLBACK_BRAND), kind);
    if (stock === undefined) throw new Error(`There is no built-in template of kind ${kind}`);
    return { source: stock, builtIn: true };
  }

  async function find(kind: TemplateKind, brand: string | undefined): Promise<FoundTemplate> {
    const found = await source(kind, brand);
    return { render: compileTemplate(found.source), builtIn: found.builtIn };
  }

  return {
    find,
    async check() {
      const faults = new Set<string>();
      const folders = await readdir(templatesPath).catch(() => []);
      for (const brand of [undefined, ...BUILT_IN_BRANDS, ...folders.sort()]) {
        for (const kind of Object.keys(FILES) as TemplateKind[]) {
          try {
            const { render } = await find(kind, brand);
            render(SAMPLE);
          } catch (error) {
            faults.add(error instanceof Error ? error.message : String(error));
          }
        }
      }
      return [...faults];
    },
  };
}
