/**
 * Remembers the domain of recent pages, for events that name their page but not its domain.
 *
 * The web SDK of 2018 leaves `d` out of cstm and pvar. Where this memory knows the page, the row is complete on arrival; where
 * not (another collector took the page, a restart, eviction), the store completes it after the seal. Bounded by entries, each no
 * wider than the column: 50,000 pages are about 10 MB, and 30 MB when every domain is as long as it may be.
 */
import { LRUCache } from 'lru-cache';
import { widthOf } from './row-encoder.ts';
import { cutText } from './wire-value.ts';

const DOMAIN_WIDTH = widthOf('page', 'domain');

export class PageDomains {
  readonly #domains: LRUCache<string, string>;

  constructor(maxPages = 50_000) {
    this.#domains = new LRUCache({ max: maxPages });
  }

  /** Remembers a page's domain, as far as its column is wide, under its pageRequestId. */
  set(pageRequestId: string, domain: string): void {
    const cut = cutText(domain, DOMAIN_WIDTH);
    // Copied, because a slice keeps the whole text that it was cut from in memory.
    this.#domains.set(pageRequestId, cut === domain ? domain : Buffer.from(cut).toString());
  }

  /** Finds a page's domain; undefined when it is not remembered. */
  get(pageRequestId: string): string | undefined {
    return this.#domains.get(pageRequestId);
  }

  /** Forgets all pages. */
  clear(): void {
    this.#domains.clear();
  }
}
