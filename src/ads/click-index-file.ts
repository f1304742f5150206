/**
 * The click index: which link a device clicked last, and which devices were activated, in a SQLite file of its own.
 *
 * Runs in a thread of each process that collects (click-index-thread.ts); the processes share the file. It holds hashes
 * (device-keys.ts), times and link ids; rows are in the store. What is in it follows from rows that are durable: a click is added
 * behind its row. Losing the file loses attribution, never a row.
 *
 * Clicks: a table for each UTC day, in it the last click for each key. So an insert meets one small tree, and 15 days later its
 * table is dropped whole instead of row by row. A look-up asks each day's table, the newest first.
 *
 * Devices: a device is *claimed* by the row id of its activation before the row is written, and *confirmed* when the row is
 * durable. Another activation of a confirmed device is a repetition. A claim whose row was never confirmed, because a process died or
 * the disk failed, goes to the same event when it is sent again, and after LEASE_MS to any other of the device: so a crash between
 * claim and row never costs a device its row. Only a process that stands still for longer than the lease, with its row on the
 * way, lets a device have two.
 *
 * Erasure: whatever is deleted, by sweeps too, is overwritten in the file at once, and in its log by `wipe`. Left may be a copy in
 * unused bytes of a page, where SQLite has split one and nothing was written there since.
 *
 * Durability: every change is synced when it returns (`syncs`). Memory: SQLite's page cache, CACHE_KIB, whatever the file holds.
 */
import { closeSync, openSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { AppError } from '../errors/app-error.ts';
import { ATTRIBUTION_MS } from '../events/click-owner.ts';
import { isSystemError } from '../lib/system-error.ts';
import { isLockedError, translateSqliteError } from '../catalog/sqlite-errors.ts';

const DAY_MS = 86_400_000;
/** How long an activation whose row is on its way keeps others of the device waiting. */
export const LEASE_MS = 30_000;

const VERSION = 1;
const CACHE_KIB = 16 * 1024;
/** The thread may wait: nothing else runs on it. */
const BUSY_TIMEOUT_MS = 10_000;
/** What is left of the log after a checkpoint. */
const WAL_BYTES = 16 * 1024 * 1024;
const DELETED_AT_ONCE = 5_000;

export type IndexedClick = {
  readonly keys: readonly Uint8Array[];
  readonly timeMs: number;
  readonly linkId: string;
  /** JSON of the variables that the click's query named; null when it named none. */
  readonly variables: string | null;
};

/** What is to be forgotten: what is kept under a key, of instants from `fromMs` to `untilMs`. */
export type ForgottenKey = { readonly key: Uint8Array; readonly fromMs: number; readonly untilMs: number };

export type FoundClick = Pick<IndexedClick, 'linkId' | 'variables'>;

export type ActivationClaim = {
  readonly deviceKeys: readonly Uint8Array[];
  readonly rowId: Uint8Array;
  /** By which keys its click is looked for, in this order. */
  readonly searchKeys: readonly Uint8Array[];
};

export type ClaimDecision =
  { readonly isRepeated: true } | { readonly isRepeated: false; readonly click: FoundClick | null };

/** What was decided of each claim; undefined when another activation of one of the devices is on its way to the store. */
export type ClaimAnswer = readonly ClaimDecision[] | undefined;

type DeviceRow = { readonly time_ms: number; readonly row_id: Uint8Array; readonly is_pending: number };

export class ClickIndexFile {
  readonly #path: string;
  readonly #database: DatabaseSync;
  readonly #inserts = new Map<string, StatementSync>();
  readonly #searches = new Map<string, StatementSync>();
  readonly #statements: Record<
    'days' | 'device' | 'claim' | 'confirm' | 'release' | 'forget' | 'expire',
    StatementSync
  >;

  private constructor(path: string, database: DatabaseSync) {
    this.#path = path;
    this.#database = database;
    this.#statements = {
      days: database.prepare(`SELECT name FROM sqlite_master WHERE name GLOB 'click_[0-9]*' ORDER BY name DESC`),
      device: database.prepare('SELECT time_ms, row_id, is_pending FROM device WHERE key = ?'),
      claim: database.prepare(
        `INSERT INTO device (key, time_ms, row_id, is_pending) VALUES (?, ?, ?, 1) ON CONFLICT (key) DO UPDATE
         SET time_ms = excluded.time_ms, row_id = excluded.row_id, is_pending = 1`,
      ),
      confirm: database.prepare('UPDATE device SET is_pending = 0 WHERE key = ? AND row_id = ?'),
      release: database.prepare('DELETE FROM device WHERE key = ? AND row_id = ? AND is_pending = 1'),
      forget: database.prepare('DELETE FROM device WHERE key = ? AND time_ms BETWEEN ? AND ?'),
      expire: database.prepare(
        `DELETE FROM device WHERE key IN (SELECT key FROM device WHERE time_ms < ? LIMIT ${DELETED_AT_ONCE})`,
      ),
    };
  }

  /** Opens the file, and makes it when there is none. @throws AppError format_too_new, store_corrupt, store_unavailable */
  static open({ path, syncs }: { readonly path: string; readonly syncs: boolean }): ClickIndexFile {
    try {
      closeSync(openSync(path, 'wx', 0o600)); // for this user alone; SQLite takes the empty file for a new one
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
    }
    return translated(path, () => {
      const database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
      try {
        useWal(database);
        database.exec(`
          PRAGMA synchronous = ${syncs ? 'FULL' : 'NORMAL'};
          PRAGMA fullfsync = ON; -- macOS: an fsync that reaches the platter; nothing elsewhere
          PRAGMA cache_size = -${CACHE_KIB};
          PRAGMA journal_size_limit = ${WAL_BYTES};
          PRAGMA secure_delete = ON; -- pages that become free too: what a sweep drops may be asked to be erased later
          BEGIN IMMEDIATE`);
        makeTables(database, path);
        database.exec('COMMIT');
        return new ClickIndexFile(path, database);
      } catch (error) {
        database.close();
        throw error;
      }
    });
  }

  /** Adds clicks; of two of the same key the later stays. */
  addClicks(clicks: readonly IndexedClick[]): void {
    this.#write(() => {
      for (const { keys, timeMs, linkId, variables } of clicks) {
        const insert = this.#insertOf(timeMs);
        for (const key of keys) insert.run(key, timeMs, linkId, variables);
      }
      return clicks.length;
    });
  }

  /**
   * Decides about activations in their order: the first of a device in ATTRIBUTION_DAYS is claimed, with its last click; any other
   * is a repetition. All or nothing: undefined, claiming none, while an activation of one of the devices is on its way.
   */
  claim(claims: readonly ActivationClaim[], nowMs: number): ClaimAnswer {
    return this.#write(() => {
      const own = new Set<string>();
      const decisions: ClaimDecision[] = [];
      for (const { deviceKeys, rowId, searchKeys } of claims) {
        const state = this.#stateOf(deviceKeys, rowId, nowMs, own);
        if (state === 'busy') return undefined;
        if (state === 'repeated') decisions.push({ isRepeated: true });
        else {
          for (const key of deviceKeys) {
            this.#statements.claim.run(key, nowMs, rowId);
            own.add(textOf(key));
          }
          decisions.push({ isRepeated: false, click: this.#findClick(searchKeys, nowMs) });
        }
      }
      return decisions;
    });
  }

  /** Says that the rows of these claims are durable. */
  confirm(claims: readonly ActivationClaim[]): void {
    this.#runForKeys(this.#statements.confirm, claims);
  }

  /** Takes claims back whose rows were not written. */
  release(claims: readonly ActivationClaim[]): void {
    this.#runForKeys(this.#statements.release, claims);
  }

  /** Forgets devices and clicks; their bytes are overwritten in the file, and stay in its log until `wipe`. */
  forget(keys: readonly ForgottenKey[]): void {
    this.#write(() => {
      const statements = this.#days().map((day) =>
        this.#database.prepare(`DELETE FROM ${day} WHERE key = ? AND time_ms BETWEEN ? AND ?`),
      );
      for (const { key, fromMs, untilMs } of keys)
        for (const statement of [this.#statements.forget, ...statements]) statement.run(key, fromMs, untilMs);
      return keys.length;
    });
  }

  /** Folds the log into the file and cuts it to nothing. False when another process was in the way; then it is to be tried again. */
  wipe(): boolean {
    return translated(this.#path, () => this.#database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()?.busy === 0);
  }

  /** Deletes what is older than this. Nothing that is still looked for may be. */
  deleteBefore(limitMs: number): void {
    const past = this.#days().filter((day) => (dayOf(day) + 1) * DAY_MS <= limitMs);
    for (const day of past) {
      this.#write(() => {
        this.#database.exec(`DROP TABLE IF EXISTS ${day}`);
        return day;
      });
    }
    while (Number(this.#write(() => this.#statements.expire.run(limitMs)).changes) === DELETED_AT_ONCE);
    this.#inserts.clear();
    this.#searches.clear();
  }

  close(): void {
    this.#database.close();
  }

  #stateOf(
    keys: readonly Uint8Array[],
    rowId: Uint8Array,
    nowMs: number,
    own: ReadonlySet<string>,
  ): 'free' | 'busy' | 'repeated' {
    let isBusy = false;
    for (const key of keys) {
      if (own.has(textOf(key))) return 'repeated'; // by an activation before it in the same request
      const known = this.#statements.device.get(key) as DeviceRow | undefined;
      if (!known || known.time_ms <= nowMs - ATTRIBUTION_MS) continue;
      if (known.is_pending === 0) return 'repeated';
      if (textOf(known.row_id) !== textOf(rowId) && known.time_ms > nowMs - LEASE_MS) isBusy = true;
    }
    return isBusy ? 'busy' : 'free';
  }

  #findClick(keys: readonly Uint8Array[], nowMs: number): FoundClick | null {
    const days = this.#days();
    for (const key of keys) {
      for (const day of days) {
        const found = this.#searchOf(day).get(key, nowMs - ATTRIBUTION_MS);
        if (found) return { linkId: String(found.link_id), variables: found.variables as string | null };
      }
    }
    return null;
  }

  /** The tables of clicks, the newest day first. */
  #days(): readonly string[] {
    return this.#statements.days.all().map(({ name }) => String(name));
  }

  #insertOf(timeMs: number): StatementSync {
    const day = `click_${String(Math.max(0, Math.floor(timeMs / DAY_MS))).padStart(6, '0')}`;
    let insert = this.#inserts.get(day);
    if (insert) return insert;
    this.#database.exec(
      `CREATE TABLE IF NOT EXISTS ${day} (key BLOB NOT NULL PRIMARY KEY, time_ms INTEGER NOT NULL, link_id TEXT NOT NULL,
       variables TEXT) STRICT, WITHOUT ROWID`,
    );
    insert = this.#database.prepare(
      `INSERT INTO ${day} (key, time_ms, link_id, variables) VALUES (?, ?, ?, ?) ON CONFLICT (key) DO UPDATE
       SET time_ms = excluded.time_ms, link_id = excluded.link_id, variables = excluded.variables
       WHERE excluded.time_ms >= time_ms`,
    );
    this.#inserts.set(day, insert);
    return insert;
  }

  #searchOf(day: string): StatementSync {
    let search = this.#searches.get(day);
    if (!search) {
      search = this.#database.prepare(`SELECT link_id, variables FROM ${day} WHERE key = ? AND time_ms > ?`);
      this.#searches.set(day, search);
    }
    return search;
  }

  #runForKeys(statement: StatementSync, claims: readonly ActivationClaim[]): void {
    this.#write(() => {
      for (const { deviceKeys, rowId } of claims) for (const key of deviceKeys) statement.run(key, rowId);
      return claims.length;
    });
  }

  /** Runs one transaction, which other processes wait for. What gives undefined is undone. */
  #write<Result>(change: () => Result): Result {
    return translated(this.#path, () => {
      this.#database.exec('BEGIN IMMEDIATE');
      try {
        const result = change();
        this.#database.exec(result === undefined ? 'ROLLBACK' : 'COMMIT');
        return result;
      } catch (error) {
        this.#inserts.clear(); // a table that was made in this transaction is gone again
        if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
        throw error;
      }
    });
  }
}

/**
 * Writes the index as it is now into a new file, for this user alone; servers go on working on it. The caller makes it durable.
 * @throws AppError format_too_new, store_corrupt, store_unavailable
 */
export function snapshotClickIndex(path: string, target: string): void {
  closeSync(openSync(target, 'wx', 0o600)); // an empty file may be vacuumed into
  translated(path, () => {
    const source = new DatabaseSync(path, { readOnly: true, timeout: BUSY_TIMEOUT_MS });
    try {
      refuseNewer(source, path);
      source.prepare('VACUUM INTO ?').run(target);
    } finally {
      source.close();
    }
  });
}

/** Switches a new file to WAL. SQLite does not wait with this for another process that does the same. */
function useWal(database: DatabaseSync): void {
  const endMs = performance.now() + BUSY_TIMEOUT_MS;
  for (;;) {
    try {
      database.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (!isLockedError(error) || performance.now() > endMs) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
    }
  }
}

function makeTables(database: DatabaseSync, path: string): void {
  refuseNewer(database, path);
  database.exec(`
    CREATE TABLE IF NOT EXISTS device (
      key BLOB NOT NULL PRIMARY KEY,
      time_ms INTEGER NOT NULL,
      row_id BLOB NOT NULL,
      is_pending INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS device_time ON device (time_ms);
    PRAGMA user_version = ${VERSION}`);
}

/** @throws AppError format_too_new */
function refuseNewer(database: DatabaseSync, path: string): void {
  const version = Number(database.prepare('PRAGMA user_version').get()?.user_version);
  if (version > VERSION)
    throw new AppError(
      'format_too_new',
      `The click index ${path} is of version ${version}; this program knows up to ${VERSION}.`,
    );
}

function dayOf(table: string): number {
  return Number(table.slice('click_'.length));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

function translated<Result>(path: string, use: () => Result): Result {
  try {
    return use();
  } catch (error) {
    throw translateSqliteError(error, path, 'click index');
  }
}
