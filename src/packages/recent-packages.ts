/**
 * Packages that were opened within the last second, for clients that fetch one by many ranges: opening and closing the file costs
 * as much as sending a small range.
 *
 * Not a word on whether a package may be sent: whoever opens one asks the catalog first, every time. A file that is deleted
 * meanwhile takes up its space for that second longer, as under a running download (P3).
 *
 * Bounds: MAX_KEPT files. A package beyond them is opened for its one reader. No bytes are kept.
 */
import type { OpenPackage, PackageReader } from './package-store.ts';

const KEPT_MS = 1_000;
const MAX_KEPT = 64;

/** What a download needs of an open package. */
export type SentPackage = Pick<OpenPackage, 'bytes' | 'read' | 'close'>;

type Kept = { readonly opened: OpenPackage; readers: number; isDropped: boolean };

export class RecentPackages {
  readonly #store: PackageReader;
  readonly #kept = new Map<string, Kept>();

  constructor(store: PackageReader) {
    this.#store = store;
  }

  /** Opens a package as the store does, or once more within a second. */
  async open(key: string): Promise<SentPackage | undefined> {
    const known = this.#kept.get(key);
    if (known) return this.#share(known);
    const opened = await this.#store.open(key);
    if (!opened || this.#kept.size >= MAX_KEPT || this.#kept.has(key)) return opened;
    const kept: Kept = { opened, readers: 0, isDropped: false };
    this.#kept.set(key, kept);
    setTimeout(() => this.#drop(key, kept), KEPT_MS).unref();
    return this.#share(kept);
  }

  #share(kept: Kept): SentPackage {
    kept.readers += 1;
    let isClosed = false;
    const close = async (): Promise<void> => {
      if (isClosed) return;
      isClosed = true;
      kept.readers -= 1;
      if (kept.isDropped && kept.readers === 0) await kept.opened.close();
    };
    return { bytes: kept.opened.bytes, read: (into, from) => kept.opened.read(into, from), close };
  }

  #drop(key: string, kept: Kept): void {
    this.#kept.delete(key);
    kept.isDropped = true;
    // Nobody is there to be told of a file that cannot be closed; nothing was written to it.
    if (kept.readers === 0) kept.opened.close().catch(() => undefined);
  }
}
