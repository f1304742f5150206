/**
 * The projects in memory, for the collector, which asks at every request and cannot wait.
 *
 * Fresh by asking, not by time: each call reads SQLite's `data_version`, which changes when any other connection, of this or
 * another process, has committed; then `project_version`, which says whether that commit changed a project; and only then the
 * table. Each is read after the one before, so a commit in between is noticed at the next call, never lost.
 *
 * Cost: about 3 µs a call while nothing is committed, and one read of all projects after a change.
 */
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { PROJECT_COLUMNS } from './catalog-schema.ts';
import type { Project } from './catalog.ts';
import type { SqliteDatabase } from './sqlite-database.ts';
import { withTranslatedErrors } from './sqlite-errors.ts';

/** A copy of the project table that is never older than the last commit of any process. */
export class ProjectCache {
  readonly #path: string;
  readonly #readDataVersion: StatementSync;
  readonly #readProjectVersion: StatementSync;
  readonly #readProjects: StatementSync;
  /** Counts the commits of any process that this cache has noticed, whatever they changed. Other caches go by it. */
  commits = 0;
  #dataVersion: unknown;
  #projectVersion: unknown;
  #byAi: ReadonlyMap<string, Project> = new Map();
  #byUid: ReadonlyMap<string, Project> = new Map();

  constructor(database: SqliteDatabase) {
    const { readerConnection, reader, path } = database;
    this.#path = path;
    this.#readDataVersion = prepareValue(readerConnection, 'PRAGMA data_version');
    this.#readProjectVersion = prepareValue(
      readerConnection,
      reader.selectFrom('project_version').select('version').compile().sql,
    );
    this.#readProjects = readerConnection.prepare(reader.selectFrom('project').select(PROJECT_COLUMNS).compile().sql);
  }

  findByAi(ai: string): Project | undefined {
    this.#refresh();
    return this.#byAi.get(ai);
  }

  findByUid(uid: string): Project | undefined {
    this.#refresh();
    return this.#byUid.get(uid);
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
