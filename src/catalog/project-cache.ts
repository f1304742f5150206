/**
 * The projects and their settings in memory, for the collector, which asks at every request and cannot wait.
 *
 * Fresh by asking, not by time: each call reads SQLite's `data_version`, which changes when any other connection, of this or
 * another process, has committed; then `project_version`, which says whether that commit changed a project; and only then the
 * table. Each is read after the one before, so a commit in between is noticed at the next call, never lost.
 *
 * Cost: about 3 µs a call, or a turn of the event loop, while nothing is committed, and one read of all projects after a change.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { hourFromInteger } from '../events/hour.ts';
import { PROJECT_COLUMNS, type ProjectSettingRow } from './catalog-schema.ts';
import type { Project } from './catalog.ts';
import { SETTING_COLUMNS, settingChangeOf } from './setting-table.ts';
import { SettingTimeline, type SettingChange } from './setting-timeline.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { withTranslatedErrors } from './sqlite-errors.ts';

const FRESH_MS = 1;

/** A copy of the project table that is never older than the last commit of any process. */
export class ProjectCache {
  readonly #path: string;
  readonly #readDataVersion: StatementSync;
  readonly #readProjectVersion: StatementSync;
  readonly #readProjects: StatementSync;
  readonly #readSettings: StatementSync;
  readonly #readDeleted: StatementSync;
  /** Counts the commits of any process that this cache has noticed, whatever they changed. Other caches go by it. */
  commits = 0;
  /** Until when, by `performance.now()`, this turn of the event loop need not look for changes again. */
  #freshUntilMs = 0;
  #dataVersion: unknown;
  #projectVersion: unknown;
  #byAi: ReadonlyMap<string, Project> = new Map();
  #byUid: ReadonlyMap<string, Project> = new Map();
  #settings: ReadonlyMap<string, SettingTimeline> = new Map();

  constructor(database: SqliteDatabase) {
    const { readerConnection, reader, path } = database;
    this.#path = path;
    this.#readDataVersion = prepareValue(readerConnection, 'PRAGMA data_version');
    this.#readProjectVersion = prepareValue(
      readerConnection,
      reader.selectFrom('project_version').select('version').compile().sql,
    );
    this.#readProjects = readerConnection.prepare(reader.selectFrom('project').select(PROJECT_COLUMNS).compile().sql);
    this.#readSettings = readerConnection.prepare(
      reader.selectFrom('project_setting').select(SETTING_COLUMNS).orderBy('id').compile().sql,
    );
    this.#readDeleted = readerConnection.prepare(reader.selectFrom('project_retention').selectAll().compile().sql);
  }

  findByAi(ai: string): Project | undefined {
    this.#refresh();
    return this.#byAi.get(ai);
  }

  /**
   * As `findByAi`, with one look for changes in a turn of the event loop: what is read in one turn was sent before it began. But Node
   * reads on in the same turn where more than a thousand connections have sent at once: so it looks again after a millisecond, and
   * before it says that there is no such project.
   */
  findInTurn(ai: string): Project | undefined {
    const nowMs = performance.now();
    if (nowMs < this.#freshUntilMs) return this.#byAi.get(ai) ?? this.findByAi(ai);
    this.#refresh();
    if (this.#freshUntilMs === 0) setImmediate(() => (this.#freshUntilMs = 0));
    this.#freshUntilMs = nowMs + FRESH_MS;
    return this.#byAi.get(ai);
  }

  findByUid(uid: string): Project | undefined {
    this.#refresh();
    return this.#byUid.get(uid);
  }

  findSettings(ai: string): SettingTimeline | undefined {
    this.#refresh();
    return this.#settings.get(ai);
  }

  /** As `findSettings`, without looking for changes. */
  knownSettings(ai: string): SettingTimeline | undefined {
    return this.#settings.get(ai);
  }

  #refresh(): void {
    withTranslatedErrors(this.#path, () => {
      const dataVersion = readValue(this.#readDataVersion);
      if (dataVersion === this.#dataVersion) return;
      const projectVersion = readValue(this.#readProjectVersion);
      if (projectVersion !== this.#projectVersion) this.#reload();
      this.#projectVersion = projectVersion;
      this.#dataVersion = dataVersion;
      this.commits += 1;
    });
  }

  #reload(): void {
    const projects = this.#readProjects.all().map((row) => ({ ...row }) as Project);
    this.#byAi = new Map(projects.map((project) => [project.ai, project]));
    this.#byUid = new Map(projects.map((project) => [project.uid, project]));
    const changes = new Map<string, SettingChange[]>();
    for (const row of this.#readSettings.all() as unknown as readonly Omit<ProjectSettingRow, 'id'>[]) {
      const ofProject = changes.get(row.ai) ?? [];
      changes.set(row.ai, ofProject);
      ofProject.push(...settingChangeOf(row));
    }
    const deleted = new Map(this.#readDeleted.all().map((row) => [String(row.ai), Number(row.deleted_before)]));
    this.#settings = new Map(
      projects.map(({ ai, exportEnabledAtMs }) => [
        ai,
        new SettingTimeline({
          exportEnabledAtMs,
          changes: changes.get(ai) ?? [],
          deletedBefore: hourFromInteger(deleted.get(ai) ?? 0),
        }),
      ]),
    );
  }
}

function prepareValue(connection: DatabaseSync, sql: string): StatementSync {
  const statement = connection.prepare(sql);
  statement.setReturnArrays(true); // a third less time a call than an object
  return statement;
}

function readValue(statement: StatementSync): unknown {
  return (statement.get() as unknown as readonly unknown[])[0];
}
