import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { isBrandName } from '../../model/brand.ts';
import { PACKAGE_FOLDER } from '../../platform/package-folder.ts';
import { SAMPLES } from './samples.ts';
import type { Render, TemplateSource } from './template.ts';
import { createTemplateFiles, type TemplateFilesDependencies } from './template-files.ts';
import { createCatalogues } from './words.ts';

export type TemplateKind =
  | 'verification'
  | 'invite'
  | 'notice'
  | 'owner_code'
  | 'migration'
  | 'page'
  | 'confirm';

export interface BrandsConfig {
  /** The operator's folder, one folder a brand in it. */
  readonly templatesPath: string;
  readonly defaultBrand: string;
  /** Deprecated single files that win over every brand's; empty: none. */
  readonly singleFiles: Readonly<Partial<Record<TemplateKind, string>>>;
}

export interface FoundTemplate {
  readonly render: Render;
  readonly syntax: TemplateSource['syntax'];
  /** Whether it is one of those that come with the server. */
  readonly builtIn: boolean;
  /** The brand that it is of; where one file is for all, the path of that. */
  readonly brand: string;
}

export interface Brands {
  /**
   * The template of that brand, as it is on disk now; the default brand's for a brand nobody has. It throws
   * TemplateError when it is rendered and cannot be used.
   */
  find(kind: TemplateKind, brand: string | undefined): Promise<FoundTemplate>;
  /** The brands there are templates of: those that come with the server, and the operator's. */
  names(): Promise<string[]>;
  /** What the configuration names and is not there, one line each. */
  missing(): Promise<string[]>;
  /** Tries the operator's templates of every brand; what is wrong with them, one line each. */
  check(): Promise<string[]>;
}

const BUILT_IN = path.join(PACKAGE_FOLDER, 'res');
const BUILT_IN_BRANDS = ['matrix-org', 'vector-im'];
/** Where templates are looked for when nothing is said. */
const USUAL_PATH = 'res';
const FALLBACK_BRAND = 'matrix-org';

/** The files of a kind, the first that exists wins. */
const FILES: Record<TemplateKind, readonly string[]> = {
  verification: ['verification_template.eml.j2', 'verification_template.eml'],
  invite: ['invite_template.eml.j2', 'invite_template.eml'],
  notice: ['owner_notice_template.eml.j2', 'owner_notice_template.eml'],
  owner_code: ['owner_code_template.eml.j2', 'owner_code_template.eml'],
  migration: ['migration_template.eml.j2', 'migration_template.eml'],
  page: ['verify_response_template.html.j2', 'verify_response_template.html'],
  confirm: ['confirm_template.html.j2', 'confirm_template.html'],
};

const OPERATOR = { server_name: 'id.example.org', operator_name: 'Example' };

export function createBrands(config: BrandsConfig, deps: TemplateFilesDependencies): Brands {
  const { templatesPath, defaultBrand, singleFiles } = config;
  const files = createTemplateFiles(deps);
  // Started from its own folder, the default `res` is the built-in one.
  const isBuiltInFolder = path.resolve(templatesPath) === path.resolve(BUILT_IN);

  async function findIn(folder: string, kind: TemplateKind) {
    for (const name of FILES[kind]) {
      const syntax = name.endsWith('.j2') ? 'jinja' : 'percent';
      const render = await files.find(path.join(folder, name), syntax);
      if (render !== undefined) return { render, syntax } as const;
    }
    return undefined;
  }

  async function find(kind: TemplateKind, asked: string | undefined): Promise<FoundTemplate> {
    const single = singleFiles[kind];
    if (single) {
      const render = await files.find(single, 'percent');
      if (render === undefined) throw new Error(`The template ${single} is not there`);
      return { render, syntax: 'percent', builtIn: false, brand: single };
    }
    const isName = asked !== undefined && isBrandName(asked);
    for (const brand of new Set([...(isName ? [asked] : []), defaultBrand])) {
      const own = await findIn(path.join(templatesPath, brand), kind);
      if (own !== undefined) return { ...own, builtIn: isBuiltInFolder, brand };
      if (!BUILT_IN_BRANDS.includes(brand)) continue;
      const stock = await findIn(path.join(BUILT_IN, brand), kind);
      if (stock !== undefined) return { ...stock, builtIn: true, brand };
    }
    const stock = await findIn(path.join(BUILT_IN, FALLBACK_BRAND), kind);
    if (stock === undefined) throw new Error(`There is no built-in template of kind ${kind}`);
    return { ...stock, builtIn: true, brand: FALLBACK_BRAND };
  }

  return {
    find,
    async names() {
      const folders = await readdir(templatesPath, { withFileTypes: true }).catch(() => []);
      const own = folders.filter((one) => one.isDirectory() && isBrandName(one.name));
      return [...new Set([...BUILT_IN_BRANDS, ...own.map(({ name }) => name)])].sort();
    },
    async missing() {
      const entries = await readdir(templatesPath).catch(() => undefined);
      const isKnown = [...BUILT_IN_BRANDS, ...(entries ?? []), ''].includes(defaultBrand);
      return [
        // Of that name there need not be one.
        ...(entries === undefined && templatesPath !== USUAL_PATH
          ? [
              `[general] templates.path = ${templatesPath}: the folder cannot be read; the templates that come with the server are used`,
            ]
          : []),
        ...(isKnown
          ? []
          : [
              `[general] brand.default = ${defaultBrand}: there is no such brand in ${templatesPath}, and none is built in; ${FALLBACK_BRAND} is used`,
            ]),
      ];
    },
    async check() {
      const faults = new Set<string>();
      const catalogues = createCatalogues();
      const folders = await readdir(templatesPath).catch(() => []);
      for (const brand of [undefined, ...BUILT_IN_BRANDS, ...folders.sort()]) {
        for (const { kind, values } of SAMPLES) {
          try {
            const { render, builtIn } = await find(kind, brand);
            // Those are tested before they are released; to load them at a start would take memory for nothing.
            if (builtIn && !isBuiltInFolder) continue;
            render({ ...OPERATOR, ...values }, await catalogues.in('en'));
          } catch (error) {
            faults.add(error instanceof Error ? error.message : String(error));
          }
        }
      }
      return [...faults];
    },
  };
}
