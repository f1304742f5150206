/**
 * Manifests: what each published revision of a project's hour holds.
 *
 * Publishing is one transaction: the task is finished, the log gets its entry, the manifest and its packages appear; all of it or
 * nothing. It begins by finishing the task under its lease id, so a worker that lost its lease publishes nothing, however late.
 *
 * Rows are never changed. Retention deletes the manifests and packages of old hours, and leaves the entries of the log.
 */
import { createPrivateKey, type KeyObject } from 'node:crypto';
import type { ExpressionBuilder } from 'kysely';
import { AppError } from '../errors/app-error.ts';
import type { DataType } from '../events/data-types.ts';
import { hourFromInteger, type Hour, type HourRange } from '../events/hour.ts';
import type { CatalogDatabase, CatalogTransaction } from './catalog-database.ts';
import type { CatalogSchema } from './catalog-schema.ts';
import type {
  ClaimedTask,
  Manifest,
  ManifestFacts,
  ManifestTable,
  Publication,
  PublishedPackage,
  SettingTable,
} from './catalog.ts';
import {
  codeOf,
  insertPackages,
  PACKAGE_COLUMNS,
  packageOf,
  type SelectedPackage,
  sortPackages,
} from './package-rows.ts';
import { buildLogEntry, buildManifestContent, hashCanonical, signManifestHash } from './public-manifest.ts';
import {
  appendPublication,
  PUBLICATION_COLUMNS,
  readLog,
  readLogEnd,
  readNewestPublication,
  readNextRevision,
} from './publication-log.ts';
import type { ReadCache } from './read-cache.ts';
import { finishTask } from './task-table.ts';
import { requestWithPublication } from './legacy-export-table.ts';
import { FIXED_DEFAULTS } from './project-settings.ts';

type ManifestDraft = Parameters<ManifestTable['publish']>[1];

/** The manifest table of a SQL catalog. */
export class SqlManifestTable implements ManifestTable {
  readonly #database: CatalogDatabase;
  readonly #signingKey: KeyObject;
  readonly #settings: Pick<SettingTable, 'of'>;
  readonly #readCache: ReadCache;

  constructor(
    database: CatalogDatabase,
    options: {
      readonly signingKeyPem: string;
      readonly settings: Pick<SettingTable, 'of'>;
      readonly readCache: ReadCache;
    },
  ) {
    const { signingKeyPem } = options;
    this.#database = database;
    this.#settings = options.settings;
    this.#readCache = options.readCache;
    this.#signingKey = createPrivateKey(signingKeyPem);
  }

  publish(task: ClaimedTask, draft: ManifestDraft): Promise<Manifest | undefined> {
    const factsText = JSON.stringify(draft.facts);
    const isLegacyHour = this.#settings.of(task.ai).find('legacyExport', task.hour) ?? FIXED_DEFAULTS.legacyExport;
    return this.#database.write(async (transaction) => {
      if (!(await finishTask(transaction, task))) return undefined;
      await refuseOtherRevision(transaction, task, draft.revision);
      const manifest = this.#sign({
        ai: task.ai,
        hour: task.hour,
        revision: draft.revision,
        ...(await readLogEnd(transaction, task.ai)),
        publishedAtMs: draft.nowMs,
        facts: readFacts(factsText),
        packages: sortPackages(draft.packages),
      });
      await appendPublication(transaction, manifest);
      const { ai, hour, revision } = manifest;
      await transaction.insertInto('manifest').values({ ai, hour, revision, facts: factsText }).execute();
      await insertPackages(transaction, manifest);
      await requestWithPublication(transaction, manifest, isLegacyHour);
      return manifest;
    });
  }

  nextRevision(ai: string, hour: Hour): Promise<number> {
    return readNextRevision(this.#database.reader, ai, hour);
  }

  newest(ai: string, hour: Hour): Promise<Manifest | undefined> {
    return this.#read(ai, hour, undefined);
  }

  read(ai: string, hour: Hour, revision: number): Promise<Manifest | undefined> {
    return this.#read(ai, hour, revision);
  }

  async listRevisions(
    ai: string,
    hours: HourRange,
  ): Promise<readonly { readonly hour: Hour; readonly revision: number }[]> {
    const rows = await this.#database.reader
      .selectFrom('manifest')
      .select(['hour', 'revision'])
      .where('ai', '=', ai)
      .where('hour', '>=', hours.from)
      .where('hour', '<', hours.until)
      .orderBy('hour')
      .orderBy('revision')
      .execute();
    return rows.map(({ hour, revision }) => ({ hour: hourFromInteger(hour), revision }));
  }

  listLog(ai: string, page: { readonly fromSeq: number; readonly limit: number }): Promise<readonly Publication[]> {
    return readLog(this.#database.reader, ai, page);
  }

  async listPackages(ai: string, hours: HourRange, dataType?: DataType): Promise<readonly PublishedPackage[]> {
    const key = `packages ${ai} ${hours.from} ${hours.until} ${dataType ?? ''}`;
    const read = () => this.#readPackages(ai, hours, dataType);
    return (await this.#readCache.read(key, read, (packages) => packages.length)) ?? [];
  }

  async #readPackages(
    ai: string,
    hours: HourRange,
    dataType: DataType | undefined,
  ): Promise<readonly PublishedPackage[]> {
    let listed = this.#database.reader
      .selectFrom('manifest')
      .innerJoin('package', (join) =>
        join
          .onRef('package.ai', '=', 'manifest.ai')
          .onRef('package.hour', '=', 'manifest.hour')
          .onRef('package.revision', '=', 'manifest.revision'),
      )
      .select(['manifest.hour', 'manifest.revision', ...PACKAGE_COLUMNS])
      .where('manifest.ai', '=', ai)
      .where('manifest.hour', '>=', hours.from)
      .where('manifest.hour', '<', hours.until)
      .where('manifest.revision', '=', newestRevision)
      .orderBy('manifest.hour')
      .orderBy('manifest.revision') // one an hour; named so that the order is that of the keys and nothing needs sorting
      .orderBy('package.data_type')
      .orderBy('package.part');
    if (dataType !== undefined) listed = listed.where('package.data_type', '=', codeOf(dataType));
    const rows = await listed.execute();
    return rows.map((row) => publishedOf(ai, row));
  }

  findPackage(ai: string, hour: Hour, dataType: DataType, name: string): Promise<PublishedPackage | undefined> {
    return this.#readCache.read(`package ${ai} ${hour} ${dataType} ${name}`, () =>
      this.#readPackage(ai, hour, dataType, name),
    );
  }

  async #readPackage(ai: string, hour: Hour, dataType: DataType, name: string): Promise<PublishedPackage | undefined> {
    const row = await this.#database.reader
      .selectFrom('package')
      .select(['package.hour', 'package.revision', ...PACKAGE_COLUMNS])
      .where('package.ai', '=', ai)
      .where('package.hour', '=', hour)
      .where('package.data_type', '=', codeOf(dataType))
      .where('package.name', '=', name)
      .orderBy('package.revision', 'desc')
      .limit(1)
      .executeTakeFirst();
    return row && publishedOf(ai, row);
  }

  async withdraw(ai: string, hour: Hour): Promise<void> {
    await this.#database.write(async (transaction) => {
      for (const table of ['package', 'manifest'] as const)
        await transaction.deleteFrom(table).where('ai', '=', ai).where('hour', '=', hour).execute();
    });
  }

  newestPublication(ai: string, hour: Hour): Promise<Publication | undefined> {
    return readNewestPublication(this.#database.reader, ai, hour);
  }

  async deletePackagesBefore(hour: Hour, ai?: string): Promise<readonly string[]> {
    if (ai !== undefined) return this.#database.write((transaction) => deleteManifestsBefore(transaction, ai, hour));
    const projects = await this.#database.reader
      .selectFrom('manifest')
      .select('ai')
      .distinct()
      .where('ai', 'in', (row) => row.selectFrom('project').select('ai')) // one seek a project instead of reading all rows
      .where('hour', '<', hour)
      .execute();
    const keys = new Set<string>();
    for (const { ai: each } of projects) {
      // A transaction for each project, so that publishing need not wait for all of them.
      const deleted = await this.#database.write((transaction) => deleteManifestsBefore(transaction, each, hour));
      for (const key of deleted) keys.add(key);
    }
    return [...keys];
  }

  /** Reads a revision of an hour, the newest when none is named. */
  async #read(ai: string, hour: Hour, revision: number | undefined): Promise<Manifest | undefined> {
    // One statement, so that retention cannot take the packages between two and leave a manifest that lacks them.
    let selected = this.#database.reader
      .selectFrom('manifest')
      .innerJoin('publication', (join) =>
        join
          .onRef('publication.ai', '=', 'manifest.ai')
          .onRef('publication.hour', '=', 'manifest.hour')
          .onRef('publication.revision', '=', 'manifest.revision'),
      )
      .leftJoin('package', (join) =>
        join
          .onRef('package.ai', '=', 'manifest.ai')
          .onRef('package.hour', '=', 'manifest.hour')
          .onRef('package.revision', '=', 'manifest.revision'),
      )
      .select(['manifest.facts', ...PUBLICATION_COLUMNS, ...PACKAGE_COLUMNS])
      .where('manifest.ai', '=', ai)
      .where('manifest.hour', '=', hour)
      .orderBy('package.data_type')
      .orderBy('package.part');
    selected =
      revision === undefined
        ? selected.where('manifest.revision', '=', newestRevision)
        : selected.where('manifest.revision', '=', revision);
    const rows = await selected.execute();
    const [manifest] = rows;
    if (!manifest) return undefined;
    const { seq, prev, contentSha256, hash, signature, publishedAtMs } = manifest;
    const log = { revision: manifest.revision, seq, prev, contentSha256, hash, signature, publishedAtMs };
    const packages = rows.filter(hasPackage).map(packageOf);
    return { ai, hour, ...log, facts: readFacts(manifest.facts), packages };
  }

  /** Completes a manifest with its hashes and signature. */
  #sign(unsigned: Omit<Manifest, 'contentSha256' | 'hash' | 'signature'>): Manifest {
    const contentSha256 = hashCanonical(buildManifestContent(unsigned.facts, unsigned.packages));
    const hash = hashCanonical(buildLogEntry({ ...unsigned, contentSha256 }));
    return { ...unsigned, contentSha256, hash, signature: signManifestHash(hash, this.#signingKey) };
  }
}

/** Facts are hashed as they will be read again: JSON leaves out members that are undefined. */
function readFacts(text: string): ManifestFacts {
  return JSON.parse(text) as ManifestFacts;
}

async function refuseOtherRevision(
  transaction: CatalogTransaction,
  task: ClaimedTask,
  revision: number,
): Promise<void> {
  const next = await readNextRevision(transaction, task.ai, task.hour);
  if (revision === next) return;
  throw new AppError('internal', `The next revision of this hour is ${next}, not ${revision}.`, {
    details: { ai: task.ai, hour: task.hour },
  });
}

async function deleteManifestsBefore(transaction: CatalogTransaction, ai: string, hour: Hour): Promise<string[]> {
  const deleted = await transaction
    .deleteFrom('package')
    .where('ai', '=', ai)
    .where('hour', '<', hour)
    .returning('key')
    .execute();
  await transaction.deleteFrom('manifest').where('ai', '=', ai).where('hour', '<', hour).execute();
  return deleted.map((row) => row.key);
}

/** The newest revision of the hour that a query's row of `manifest` belongs to. */
function newestRevision(manifest: ExpressionBuilder<CatalogSchema, 'manifest'>) {
  return manifest
    .selectFrom('manifest as any_revision')
    .select((row) => row.fn.max('any_revision.revision').as('revision'))
    .whereRef('any_revision.ai', '=', 'manifest.ai')
    .whereRef('any_revision.hour', '=', 'manifest.hour');
}

/** Says whether a row of a left join found a package. */
function hasPackage<Row extends { readonly part: number | null }>(row: Row): row is Row & SelectedPackage {
  return row.part !== null;
}

function publishedOf(
  ai: string,
  row: SelectedPackage & { readonly hour: number; readonly revision: number },
): PublishedPackage {
  return { ...packageOf(row), ai, hour: hourFromInteger(row.hour), revision: row.revision };
}
