/** One document of the terms, in several languages. */
export interface TermsDocument {
  readonly version: string;
  readonly languages: Readonly<Record<string, { readonly name: string; readonly url: string }>>;
}

/** What users have to accept. */
export interface TermsPolicy {
  /** Of the terms as a whole: a new one asks everybody again. */
  readonly masterVersion: string;
  readonly documents: Readonly<Record<string, TermsDocument>>;
}
