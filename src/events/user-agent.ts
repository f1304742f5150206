/**
 * Reads the operating system from a User-Agent header, for web visits, whose events do not say it.
 *
 * Parsing costs some 20 µs and a site's visitors share few user agents, so the last 2,000 answers are kept.
 */
import { LRUCache } from 'lru-cache';
import { UAParser } from 'ua-parser-js';

export type OperatingSystem = { readonly name: string | null; readonly nameAndVersion: string | null };

/** The parser's patterns see no more than the column holds, so that a long header costs no more than a short one. */
const MAX_USER_AGENT_LENGTH = 512;

export class UserAgents {
  readonly #known = new LRUCache<string, OperatingSystem>({ max: 2_000 });

  /** Gives the system's name ("Windows") and its name with version ("Windows 10"); nulls when it cannot be told. */
  operatingSystemOf(userAgent: string | null): OperatingSystem {
    if (userAgent === null || userAgent === '') return { name: null, nameAndVersion: null };
    const key = userAgent.slice(0, MAX_USER_AGENT_LENGTH);
    const known = this.#known.get(key);
    if (known) return known;
    const { name, version } = new UAParser(key).getOS();
    const found = { name: name ?? null, nameAndVersion: name ? `${name}${version ? ` ${version}` : ''}` : null };
    this.#known.set(key, found);
    return found;
  }
}
