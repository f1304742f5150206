/**
 * Remembers the domain of recent pages, for events that name their page but not its domain.
 *
 * The web SDK of 2018 leaves `d` out of cstm and pvar. Where this memory knows the page, the row is complete on arrival; where
 * not (another collector took the page, a restart, eviction), the store completes it after the seal. Bounded by entries: 50,000
 * pages are about 10 MB.
 */
import { LRUCache } from 'lru-cache';

export class PageDomains {
  readonly #domains: LRUCache<string, string>;

  constructor(maxPages = 50_000) {
    this.#domains = new LRUCache({ max: maxPages });
  }

  /** Remembers a page's domain under its pageRequestId. */
  set(pageRequestId: string, domain: string): void {
    this.#domains.set(pageRequestId, domain);
  }

  /** Finds a page's domain; undefined when it is not remembered. */
  get(pageRequestId: string): string | undefined {
    return this.#domains.get(pageRequestId);
  }
}
