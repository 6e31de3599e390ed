import { createCatalogues } from '../../src/delivery/templates/words.ts';

/** The words of English, for templates that are rendered by themselves. */
export const WORDS = await createCatalogues().in('en');
