import { findPackageJSON } from 'node:module';
import path from 'node:path';

/** The folder of the installed package, wherever in it this code stands. */
export const PACKAGE_FOLDER = path.dirname(findPackageJSON(import.meta.url) ?? '');
