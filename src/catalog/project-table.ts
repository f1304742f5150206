/** Projects: who may send and who may export. Written by the CLI, read by every part of a running server. */
import { AppError } from '../errors/app-error.ts';
import type { CatalogDatabase, CatalogTransaction } from './catalog-database.ts';
import { PROJECT_COLUMNS } from './catalog-schema.ts';
import type { Project, ProjectTable } from './catalog.ts';
import type { ProjectCache } from './project-cache.ts';

const AI_FORM = /^[0-9A-Za-z-]{1,64}$/;
const UID_FORM = /^[0-9A-Za-z]{8}$/;

/** The project table of a SQL catalog. */
export class SqlProjectTable implements ProjectTable {
  readonly #database: CatalogDatabase;
  readonly #cache: ProjectCache;

  constructor(database: CatalogDatabase, cache: ProjectCache) {
    this.#database = database;
    this.#cache = cache;
  }

  async create(project: Project): Promise<void> {
    refuseMalformedKeys(project);
    await this.#database.write(async (transaction) => {
      await refuseTakenKeys(transaction, project);
      await transaction
        .insertInto('project')
        .values({
          ai: project.ai,
          uid: project.uid,
          client_id: project.clientId,
          secret: project.secret,
          name: project.name,
          export_enabled_at_ms: project.exportEnabledAtMs,
          created_at_ms: project.createdAtMs,
        })
        .execute();
      await markProjectsChanged(transaction);
    });
  }

  list(): Promise<readonly Project[]> {
    return this.#database.reader
      .selectFrom('project')
      .select(PROJECT_COLUMNS)
      .orderBy('project.created_at_ms')
      .orderBy('project.ai')
      .execute();
  }

  findByAi(ai: string): Project | undefined {
    return this.#cache.findByAi(ai);
  }

  findInTurn(ai: string): Project | undefined {
    return this.#cache.findInTurn(ai);
  }

  findByUid(uid: string): Project | undefined {
    return this.#cache.findByUid(uid);
  }
}

function refuseMalformedKeys(project: Project): void {
  if (!AI_FORM.test(project.ai)) {
    throw new AppError('bad_request', 'The ai of a project must be 1 to 64 letters, digits or hyphens.');
  }
  if (!UID_FORM.test(project.uid)) {
    throw new AppError('bad_request', 'The uid of a project must be 8 letters and digits.');
  }
  if (project.clientId === '' || project.secret === '') {
    throw new AppError('bad_request', 'A project needs a public key and a secret.');
  }
}

/** Two projects may share a public key: it identifies nobody without the uid and the ai. */
async function refuseTakenKeys(transaction: CatalogTransaction, { ai, uid }: Project): Promise<void> {
  const taken = await transaction
    .selectFrom('project')
    .select('ai')
    .where((row) => row.or([row('ai', '=', ai), row('uid', '=', uid)]))
    .executeTakeFirst();
  if (!taken) return;
  const key = taken.ai === ai ? `the ai ${ai}` : `the uid ${uid}`;
  throw new AppError('project_exists', `There is a project with ${key} already.`, { details: { ai: taken.ai } });
}

/** Every change of what `ProjectCache` holds must do this, or it is not seen. */
export async function markProjectsChanged(transaction: CatalogTransaction): Promise<void> {
  await transaction
    .updateTable('project_version')
    .set((row) => ({ version: row('version', '+', 1) }))
    .execute();
}
