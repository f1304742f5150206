/**
 * Finds imports and back-fills that count but whose hours were never exported again, because the process died in between, and makes
 * their tasks: of all when a server starts, and of those that come to count beside a running server once they had time to do it
 * themselves. While tasks of its hours wait or run, an import is left to whoever has them, and looked at again.
 *
 * Cost: a folder is read every 5 s; each import is looked through once.
 */
import type { Logger } from 'pino';
import type { Catalog, Manifest } from '../catalog/catalog.ts';
import { addHours, type Hour } from '../events/hour.ts';
import { waitFor, type Clock } from '../lib/clock.ts';
import { isSystemError } from '../lib/system-error.ts';
import type { HourLogReader, ImportCommit } from '../store/hour-log/hour-log-reader.ts';

/** How long an import that counts may take to make its tasks: longer than it waits for the catalog. */
const GRACE_MS = 30_000;
const POLL_MS = 5_000;

export type ImportRecoveryOptions = {
  readonly catalog: Catalog;
  readonly reader: HourLogReader;
  readonly clock: Clock;
  readonly logger: Logger;
};

export class ImportRecovery {
  readonly #options: ImportRecoveryOptions;
  /** The imports of other processes that are still to be looked at, and since when they are known. */
  readonly #waiting = new Map<string, number>();
  readonly #known = new Set<string>();

  constructor(options: ImportRecoveryOptions) {
    this.#options = options;
  }

  /** Makes the tasks of all imports that lack them, whatever these are now. For a server that starts. */
  async recoverAll(): Promise<void> {
    for (const { id, commit } of this.#options.reader.committedImports()) {
      this.#known.add(id);
      await this.#restart(commit, await this.#listUnexported(commit));
    }
  }

  /** Follows the imports of other processes until the signal. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look().catch((error: unknown) => {
        this.#options.logger.error({ err: error }, 'Imports could not be looked through; trying again.');
      });
      await waitFor(POLL_MS, signal);
    }
  }

  /** Makes the tasks of imports that have been known for long enough and lack them. */
  async look(): Promise<void> {
    const { reader, clock } = this.#options;
    const nowMs = clock.nowMs();
    for (const id of reader.committedImportIds()) {
      if (!this.#known.has(id)) this.#waiting.set(id, nowMs);
      this.#known.add(id);
    }
    const due = [...this.#waiting].filter(([, sinceMs]) => nowMs - sinceMs >= GRACE_MS).map(([id]) => id);
    if (due.length === 0) return;
    const commits = new Map(reader.committedImports().map(({ id, commit }) => [id, commit]));
    for (const id of due) {
      const commit = commits.get(id);
      if (!commit || (await this.#recoverEnded(commit))) this.#waiting.delete(id);
    }
  }

  /** Restarts the tasks that have ended without what the import brought. False while hours of it have still to end. */
  async #recoverEnded(commit: ImportCommit): Promise<boolean> {
    const hours = commit.hours.map(({ hour }) => hour).sort((a, b) => a - b);
    const [from, last] = [hours[0], hours.at(-1)];
    if (from === undefined || last === undefined) return true;
    const tasks = await this.#options.catalog.tasks.list(commit.ai, { from, until: addHours(last, 1) });
    const unfinished = tasks.filter(({ status }) => status === 'pending' || status === 'running');
    if (unfinished.some(({ hour }) => hours.includes(hour))) return false;
    await this.#restart(commit, await this.#listUnexported(commit));
    return true;
  }

  async #listUnexported({ ai, hours }: ImportCommit): Promise<readonly Hour[]> {
    const { catalog, reader } = this.#options;
    const unexported: Hour[] = [];
    if (!catalog.projects.findByAi(ai)) return unexported;
    for (const { hour } of hours) {
      const manifest = await catalog.manifests.newest(ai, hour);
      if (manifest && lacksAnything(manifest, reader)) unexported.push(hour);
    }
    return unexported;
  }

  async #restart({ ai }: ImportCommit, hours: readonly Hour[]): Promise<void> {
    const { catalog, clock } = this.#options;
    if (hours.length > 0) await catalog.tasks.restart(ai, hours, clock.nowMs());
  }
}

/** What reading rows that are damaged, missing or of a newer program fails with. */
const DAMAGE_CODES = ['store_corrupt', 'format_too_new'];

/**
 * Says whether a manifest was made before some of its hour came. Not when the rows cannot be read: to export the hour again would
 * only put it into ERROR, and the server must start. They may be missing without damage: retention deletes rows after the
 * manifest, but a restored catalog may be a little older than the rows beside it and still have that.
 */
function lacksAnything({ ai, hour, facts }: Manifest, reader: HourLogReader): boolean {
  try {
    const { receipts } = reader.counts(hour, ai);
    const imported = receipts.find(({ line }) => line === 'import')?.received ?? 0;
    const tags = receipts.find(({ line }) => line === 'action_tag')?.rows ?? 0;
    return facts.ledger.imported < imported || (facts.ledger.rows.action_tag?.made ?? 0) < tags;
  } catch (error) {
    if (DAMAGE_CODES.some((code) => isSystemError(error, code))) return false;
    throw error;
  }
}
