/**
 * Erasures of visitors: who asked for what, how far it has come, and the certificates.
 *
 * The ids, of visitors and of what their clicks are known by, stand in a table of their own, in clear text, from the request until nothing else holds them: whoever goes on after a
 * crash, or restores a backup, must know whom to erase. They are deleted by emptying the table and writing back those of other erasures,
 * because an emptied table's pages are overwritten whole (PRAGMA secure_delete), and single rows may leave copies where pages were
 * split. Then the database's log is folded into its file and cut to nothing.
 */
import { randomBytes } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import { keyOfOwner, MAX_CLICK_OWNERS, type ClickOwner } from '../events/click-owner.ts';
import { hourFromInteger, hourOf, type Hour } from '../events/hour.ts';
import type { CatalogDatabase, CatalogReader } from './catalog-database.ts';
import { hashVisitor, type ErasureCertificate } from './erasure-certificate.ts';
import type {
  ErasedRows,
  Erasure,
  ErasureHour,
  ErasureStatus,
  ErasureTable,
  PendingErasure,
  PublishedRevision,
} from './erasures.ts';

const ID_BYTES = 12;

const COLUMNS = [
  'erasure.id',
  'erasure.ai',
  'erasure.requested_at_ms as requestedAtMs',
  'erasure.until_ms as untilMs',
  'erasure.status',
  'erasure.visitors',
  'erasure.visitor_hashes as visitorHashes',
  'erasure.next_hour as nextHour',
  'erasure.failed_hours as failedHours',
  'erasure.last_hour as lastHour',
  'erasure.searched_owners as searchedOwners',
  'erasure.error',
  'erasure.certificate',
] as const;

/** What a query of COLUMNS gives. */
type SelectedErasure = {
  readonly id: string;
  readonly ai: string;
  readonly requestedAtMs: number;
  readonly untilMs: number;
  readonly status: ErasureStatus;
  readonly visitors: number;
  readonly visitorHashes: string;
  readonly nextHour: number;
  readonly failedHours: string;
  readonly lastHour: number;
  readonly searchedOwners: number;
  readonly error: string | null;
  readonly certificate: string | null;
};

/** The erasure table of a SQL catalog. */
export class SqlErasureTable implements ErasureTable {
  readonly #database: CatalogDatabase;

  constructor(database: CatalogDatabase) {
    this.#database = database;
  }

  create({ ai, visitorIds, nowMs }: Parameters<ErasureTable['create']>[0]): Promise<Erasure> {
    const id = randomBytes(ID_BYTES).toString('hex');
    return this.#database.write(async (transaction) => {
      const project = await transaction.selectFrom('project').select('secret').where('ai', '=', ai).executeTakeFirst();
      if (!project) throw new AppError('unknown_project', `There is no project ${ai}.`);
      await transaction
        .insertInto('erasure')
        .values({
          id,
          ai,
          requested_at_ms: nowMs,
          until_ms: nowMs,
          status: 'pending',
          visitors: visitorIds.length,
          visitor_hashes: JSON.stringify(visitorIds.map((visitor) => hashVisitor(project.secret, ai, visitor))),
          next_hour: 0,
          failed_hours: '[]',
          last_hour: hourOf(nowMs),
          error: null,
          certificate: null,
        })
        .execute();
      await transaction
        .insertInto('erasure_visitors')
        .values({ erasure_id: id, visitors: JSON.stringify(visitorIds) })
        .execute();
      const created = await readErasure(transaction, ai, id);
      return created!; // inserted just above
    });
  }

  read(ai: string, id: string): Promise<Erasure | undefined> {
    return readErasure(this.#database.reader, ai, id);
  }

  async list(ai: string, limit: number): Promise<readonly Erasure[]> {
    const rows = await this.#database.reader
      .selectFrom('erasure')
      .select(COLUMNS)
      .where('ai', '=', ai)
      .orderBy('requested_at_ms', 'desc')
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map(erasureOf);
  }

  async listUnfinished(ai?: string): Promise<readonly PendingErasure[]> {
    let selected = this.#database.reader
      .selectFrom('erasure')
      .leftJoin('erasure_visitors', 'erasure_visitors.erasure_id', 'erasure.id')
      .select([...COLUMNS, 'erasure_visitors.visitors as visitorIds', 'erasure_visitors.owners'])
      .where('erasure.status', 'in', ['pending', 'erased'])
      .orderBy('erasure.requested_at_ms')
      .orderBy('erasure.id');
    if (ai !== undefined) selected = selected.where('erasure.ai', '=', ai);
    const rows = await selected.execute();
    return rows.map((row) => ({
      ...erasureOf(row),
      visitorIds: row.visitorIds === null ? [] : (JSON.parse(row.visitorIds) as string[]),
      owners: readOwners(row.owners),
    }));
  }

  async countDone(): Promise<number> {
    const row = await this.#database.reader
      .selectFrom('erasure')
      .select((erasure) => erasure.fn.countAll().as('count'))
      .where('status', '=', 'done')
      .executeTakeFirst();
    return Number(row?.count ?? 0);
  }

  async update(id: string, change: Parameters<ErasureTable['update']>[1]): Promise<void> {
    const { untilMs, lastHour, nextHour, failedHours, searchedOwners, error } = change;
    await this.#database.write((transaction) =>
      transaction
        .updateTable('erasure')
        .set({
          ...(untilMs !== undefined && { until_ms: untilMs }),
          ...(lastHour !== undefined && { last_hour: lastHour }),
          ...(nextHour !== undefined && { next_hour: nextHour }),
          ...(failedHours !== undefined && { failed_hours: JSON.stringify(failedHours) }),
          ...(searchedOwners !== undefined && { searched_owners: searchedOwners }),
          ...(error !== undefined && { error }),
        })
        .where('id', '=', id)
        .execute(),
    );
  }

  addOwners(id: string, owners: readonly ClickOwner[]): Promise<boolean> {
    return this.#database.write(async (transaction) => {
      const row = await transaction
        .selectFrom('erasure_visitors')
        .select('owners')
        .where('erasure_id', '=', id)
        .executeTakeFirst();
      if (!row) return false; // another process has ended the erasure
      const known = readOwners(row.owners);
      const keys = new Set(known.map(keyOfOwner));
      const fresh = owners.filter((owner) => !keys.has(keyOfOwner(owner))).slice(0, MAX_CLICK_OWNERS - known.length);
      if (fresh.length === 0) return false;
      await transaction
        .updateTable('erasure_visitors')
        .set({ owners: JSON.stringify([...known, ...fresh]) })
        .where('erasure_id', '=', id)
        .execute();
      return true;
    });
  }

  async recordHour(id: string, { hour, rows, before }: ErasureHour): Promise<void> {
    await this.#database.write(async (transaction) => {
      const known = await transaction
        .selectFrom('erasure_hour')
        .select(['rows', 'is_erased'])
        .where('erasure_id', '=', id)
        .where('hour', '=', hour)
        .executeTakeFirst();
      if (known) {
        const combine = known.is_erased === 1 ? (a: number, b: number) => a + b : Math.max;
        await transaction
          .updateTable('erasure_hour')
          .set({ rows: JSON.stringify(combineRows(JSON.parse(known.rows) as ErasedRows, rows, combine)), is_erased: 0 })
          .where('erasure_id', '=', id)
          .where('hour', '=', hour)
          .execute();
        return;
      }
      await transaction
        .insertInto('erasure_hour')
        .values({
          erasure_id: id,
          hour,
          rows: JSON.stringify(rows),
          revision_before: before?.revision ?? null,
          hash_before: before?.hash ?? null,
          is_erased: 0,
        })
        .execute();
    });
  }

  async isBegun(id: string, hour: Hour): Promise<boolean> {
    const row = await this.#database.reader
      .selectFrom('erasure_hour')
      .select('is_erased')
      .where('erasure_id', '=', id)
      .where('hour', '=', hour)
      .executeTakeFirst();
    return row?.is_erased === 0;
  }

  async markErased(id: string, hour: Hour): Promise<void> {
    await this.#database.write((transaction) =>
      transaction
        .updateTable('erasure_hour')
        .set({ is_erased: 1 })
        .where('erasure_id', '=', id)
        .where('hour', '=', hour)
        .execute(),
    );
  }

  async listHours(id: string): Promise<readonly ErasureHour[]> {
    const rows = await this.#database.reader
      .selectFrom('erasure_hour')
      .select(['hour', 'rows', 'revision_before', 'hash_before'])
      .where('erasure_id', '=', id)
      .orderBy('hour')
      .execute();
    return rows.map((row) => ({
      hour: hourFromInteger(row.hour),
      rows: JSON.parse(row.rows) as ErasedRows,
      before: publishedOf(row.revision_before, row.hash_before),
    }));
  }

  async forgetVisitors(id: string): Promise<void> {
    await this.#database.write(async (transaction) => {
      const others = await transaction
        .selectFrom('erasure_visitors')
        .select(['erasure_id', 'visitors', 'owners'])
        .where('erasure_id', '<>', id)
        .execute();
      await transaction.deleteFrom('erasure_visitors').execute();
      for (const other of others) await transaction.insertInto('erasure_visitors').values(other).execute();
      await transaction.updateTable('erasure').set({ status: 'erased', error: null }).where('id', '=', id).execute();
    });
  }

  wipeDeleted(): Promise<boolean> {
    return this.#database.wipeDeleted();
  }

  async finish(id: string, certificate: ErasureCertificate): Promise<void> {
    await this.#database.write(async (transaction) => {
      await transaction
        .updateTable('erasure')
        .set({ status: 'done', error: null, certificate: JSON.stringify(certificate) })
        .where('id', '=', id)
        .where('status', '=', 'erased')
        .execute();
    });
  }
}

async function readErasure(reader: CatalogReader, ai: string, id: string): Promise<Erasure | undefined> {
  const row = await reader
    .selectFrom('erasure')
    .select(COLUMNS)
    .where('id', '=', id)
    .where('ai', '=', ai)
    .executeTakeFirst();
  return row && erasureOf(row);
}

function erasureOf(row: SelectedErasure): Erasure {
  const { id, ai, requestedAtMs, untilMs, status, visitors, searchedOwners, error, certificate } = row;
  return {
    id,
    ai,
    requestedAtMs,
    untilMs,
    status,
    visitors,
    searchedOwners,
    error,
    visitorHashes: JSON.parse(row.visitorHashes) as string[],
    nextHour: hourFromInteger(row.nextHour),
    failedHours: (JSON.parse(row.failedHours) as number[]).map(hourFromInteger),
    lastHour: hourFromInteger(row.lastHour),
    certificate: certificate === null ? null : (JSON.parse(certificate) as ErasureCertificate),
  };
}

function readOwners(json: string | null): readonly ClickOwner[] {
  return json === null ? [] : (JSON.parse(json) as ClickOwner[]);
}

function combineRows(a: ErasedRows, b: ErasedRows, combine: (a: number, b: number) => number): ErasedRows {
  const kinds = new Set([...Object.keys(a), ...Object.keys(b)]) as Set<keyof ErasedRows>;
  return Object.fromEntries([...kinds].map((kind) => [kind, combine(a[kind] ?? 0, b[kind] ?? 0)]));
}

function publishedOf(revision: number | null, hash: string | null): PublishedRevision | null {
  return revision === null || hash === null ? null : { revision, hash };
}
