/**
 * Tokens of the export API. Only a SHA-256 of each is kept: a token has about 380 random bits, so its hash needs neither salt nor
 * a slow function, and a copy of the catalog opens no export.
 */
import { createHash, randomBytes } from 'node:crypto';
import { AppError } from '../errors/app-error.ts';
import type { CatalogDatabase } from './catalog-database.ts';
import { PROJECT_COLUMNS } from './catalog-schema.ts';
import type { Project, TokenTable } from './catalog.ts';
import type { ReadCache } from './read-cache.ts';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const TOKEN_LENGTH = 64;
const TOKEN_FORM = /^[0-9A-Za-z]{64}$/;
const TOKEN_LIFE_MS = 30 * 24 * 3_600_000;
const LIVING_TOKENS_PER_PROJECT = 20;

/** The token table of a SQL catalog. */
export class SqlTokenTable implements TokenTable {
  readonly #database: CatalogDatabase;
  readonly #readCache: ReadCache;

  constructor(database: CatalogDatabase, readCache: ReadCache) {
    this.#database = database;
    this.#readCache = readCache;
  }

  async create(ai: string, nowMs: number): Promise<string> {
    const token = drawToken();
    await this.#database.write(async (transaction) => {
      const project = await transaction.selectFrom('project').select('ai').where('ai', '=', ai).executeTakeFirst();
      if (!project) throw new AppError('unknown_project', `There is no project with the ai ${ai}.`);
      await transaction
        .insertInto('token')
        .values({ hash: hashToken(token), ai, created_at_ms: nowMs, expires_at_ms: nowMs + TOKEN_LIFE_MS })
        .execute();
      await transaction
        .deleteFrom('token')
        .where('ai', '=', ai)
        .where((row) =>
          row.or([
            row('expires_at_ms', '<=', nowMs),
            row(
              'id',
              'not in',
              row
                .selectFrom('token')
                .select('id')
                .where('ai', '=', ai)
                .orderBy('id', 'desc')
                .limit(LIVING_TOKENS_PER_PROJECT),
            ),
          ]),
        )
        .execute();
    });
    return token;
  }

  async findProject(token: string, nowMs: number): Promise<Project | undefined> {
    if (!TOKEN_FORM.test(token)) return undefined;
    const hash = hashToken(token);
    const found = await this.#readCache.read(`token ${hash}`, () => this.#readToken(hash));
    return found !== undefined && found.expiresAtMs > nowMs ? found.project : undefined;
  }

  async #readToken(hash: string): Promise<{ readonly project: Project; readonly expiresAtMs: number } | undefined> {
    const row = await this.#database.reader
      .selectFrom('token')
      .innerJoin('project', 'project.ai', 'token.ai')
      .select([...PROJECT_COLUMNS, 'token.expires_at_ms as expiresAtMs'])
      .where('token.hash', '=', hash)
      .executeTakeFirst();
    if (!row) return undefined;
    const { expiresAtMs, ...project } = row;
    return { project, expiresAtMs };
  }
}

function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** Draws 64 letters and digits, each equally likely: bytes beyond the last whole multiple of 62 are drawn again. */
function drawToken(): string {
  const usable = 256 - (256 % ALPHABET.length);
  let token = '';
  while (token.length < TOKEN_LENGTH) {
    for (const byte of randomBytes(TOKEN_LENGTH)) {
      if (byte < usable && token.length < TOKEN_LENGTH) token += ALPHABET[byte % ALPHABET.length]!;
    }
  }
  return token;
}
