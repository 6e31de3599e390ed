import { IdentityError } from '../../model/errors.ts';
import { parseMxid } from '../../model/mxid.ts';
import type { TermsDocument, TermsPolicy } from '../../model/terms.ts';
import type { Storage } from '../../storage/stores/index.ts';

/** The terms of service, and who has accepted them (Identity Service API, "Terms of Service"). */
export interface Terms {
  /** As they stand on the wire. */
  policies(): Readonly<Record<string, object>>;
  /**
   * Notes that the user accepts the documents at these URLs.
   * @throws IdentityError `terms-unknown` when one belongs to no document.
   */
  accept(userId: string, urls: readonly string[]): Promise<void>;
  /**
   * Whether the user may go on: who accepted that version has accepted the terms in force, or need not accept any here.
   */
  areAccepted(userId: string, consentVersion: string | undefined): boolean;
}

export interface TermsDependencies {
  readonly storage: Storage;
  /** The terms in force now; undefined when there are none. */
  readonly current: () => TermsPolicy | undefined;
  /** Lower case: homeservers whose users need not accept them here. */
  readonly trustedHomeservers: readonly string[];
}

const urlsOf = (document: TermsDocument) =>
  Object.values(document.languages).map((language) => language.url);

export function createTerms({ storage, current, trustedHomeservers }: TermsDependencies): Terms {
  return {
    policies() {
      const documents = Object.entries(current()?.documents ?? {});
      return Object.fromEntries(
        documents.map(([name, { version, languages }]) => [name, { ...languages, version }]),
      );
    },

    async accept(userId, urls) {
      const policy = current();
      const documents = Object.values(policy?.documents ?? {});
      const known = new Set(documents.flatMap(urlsOf));
      const unknown = urls.find((url) => !known.has(url));
      if (unknown !== undefined) {
        throw new IdentityError('terms-unknown', 'No document of the terms has one of these URLs');
      }
      if (policy === undefined) return;
      await storage.transaction(async ({ accounts }) => {
        await accounts.acceptUrls(userId, [...new Set(urls)]);
        const accepted = new Set(await accounts.acceptedUrls(userId));
        const all = documents.every((document) =>
          urlsOf(document).some((url) => accepted.has(url)),
        );
        if (all) await accounts.setConsentVersion(userId, policy.masterVersion);
      });
    },

    areAccepted(userId, consentVersion) {
      const policy = current();
      if (policy === undefined || policy.masterVersion === consentVersion) return true;
      const homeserver = parseMxid(userId)?.serverName.toLowerCase();
      return homeserver !== undefined && trustedHomeservers.includes(homeserver);
    },
  };
}
