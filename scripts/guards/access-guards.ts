/** Guards of the catalog and of who may have what: tokens, links, keys. */
import type { Guard } from './guard.ts';

const LINK = 'src/packages/signed-link.ts';
const LINK_TEST = 'src/packages/signed-link.test.ts';
const TOKEN_TEST = 'src/http/token-route.test.ts';

export const ACCESS_GUARDS: readonly Guard[] = [
  {
    name: 'link-signature',
    protects: 'a link that was changed is refused',
    file: LINK,
    find: "if (!timingSafeEqual(this.#sign(signed), Buffer.from(signature, 'hex'))) return { status: 'refused' };",
    replacement: '',
    test: { file: LINK_TEST, name: 'refuses a link that another key signed' },
  },
  {
    name: 'link-expiry',
    protects: 'a link ends when it says',
    file: LINK,
    find: "if (Math.floor(nowMs / 1000) > Number(expires)) return { status: 'expired' };",
    replacement: '',
    test: { file: LINK_TEST, name: 'takes a link to the end of its last second and not longer' },
  },
  {
    name: 'package-size',
    protects: 'a package whose size is not that of its manifest is not sent',
    file: 'src/http/download-route.ts',
    find: 'if (opened.bytes !== found.bytes) {',
    replacement: 'if (opened.bytes < 0) {',
    test: {
      file: 'src/http/download-route.test.ts',
      name: 'sends nothing of a package whose size is not that of the manifest',
    },
  },
  {
    name: 'token-of-project',
    protects: "another project's token opens nothing",
    file: 'src/http/project-access.ts',
    find: "if (!project || ('ai' in request ? project.ai !== request.ai : project.uid !== request.uid)) return undefined;",
    replacement: 'if (!project) return undefined;',
    test: { file: 'src/http/insights-routes.test.ts', name: 'tells a stranger nothing but Unauthorized' },
  },
  {
    name: 'client-id',
    protects: "another project's public key opens nothing",
    file: 'src/http/project-access.ts',
    find: 'return clientId === undefined || clientId === project.clientId ? project : undefined;',
    replacement: 'return clientId === undefined ? project : project;',
    test: { file: 'src/http/insights-routes.test.ts', name: 'tells a stranger nothing but Unauthorized' },
  },
  {
    name: 'token-life',
    protects: 'a token lives 30 days',
    file: 'src/catalog/token-table.ts',
    find: "      .where('token.expires_at_ms', '>', nowMs)\n",
    replacement: '',
    test: { file: 'src/catalog/token-table.test.ts', name: 'lets a token live for 30 days' },
  },
  {
    name: 'token-hash',
    protects: 'the catalog holds no token that could be used',
    file: 'src/catalog/token-table.ts',
    find: "return createHash('sha256').update(token).digest('hex');",
    replacement: 'return token;',
    test: { file: 'src/catalog/token-table.test.ts', name: 'stores the hash and not the token' },
  },
  {
    name: 'token-proof',
    protects: 'a token is given only for a proof made with the secret',
    file: 'src/http/token-route.ts',
    find: 'if (!project || !isSigned || ',
    replacement: 'if (!project || ',
    test: { file: TOKEN_TEST, name: 'tells nothing but Unauthorized when the proof' },
  },
  {
    name: 'token-proof-age',
    protects: 'a proof is good for 15 minutes',
    file: 'src/http/token-route.ts',
    find: 'if (Math.abs(differenceMs) > MAX_CLOCK_DIFFERENCE_MS) {',
    replacement: 'if (Math.abs(differenceMs) === Infinity) {',
    test: { file: TOKEN_TEST, name: 'takes a client clock up to 15 minutes off' },
  },
  {
    name: 'catalog-sync',
    protects: 'what the catalog has committed survives a loss of power',
    file: 'src/catalog/sqlite-database.ts',
    find: 'PRAGMA synchronous = FULL;',
    replacement: 'PRAGMA synchronous = OFF;',
    test: { file: 'src/catalog/open-catalog.test.ts', name: 'keeps what is committed through a loss of power' },
  },
  {
    name: 'catalog-rollback',
    protects: 'a change of the catalog happens as a whole or not at all',
    file: 'src/catalog/node-sqlite-dialect.ts',
    find: 'if (database.isOpen && database.isTransaction) await super.rollbackTransaction(connection);',
    replacement: 'if (database.isOpen && database.isTransaction) await super.commitTransaction(connection);',
    test: {
      file: 'src/catalog/manifest-table.test.ts',
      name: 'publishes nothing of a manifest when one of its packages cannot be stored',
    },
  },
  {
    name: 'catalog-version',
    protects: 'V2: a program does not open the catalog of a newer one',
    file: 'src/catalog/migrations/migrate.ts',
    find: 'refuseNewer(path, applied, migrations.length);\n    if (applied === migrations.length) return ran;',
    replacement: 'if (applied >= migrations.length) return ran;',
    test: { file: 'src/catalog/migrations/migrate.test.ts', name: 'refuses a file that a newer program has migrated' },
  },
  {
    name: 'migration-rollback',
    protects: 'a migration happens as a whole or not at all',
    file: 'src/catalog/migrations/migrate.ts',
    find: "if (database.isTransaction) database.exec('ROLLBACK');",
    replacement: "if (database.isTransaction) database.exec('COMMIT');",
    test: {
      file: 'src/catalog/migrations/migrate.test.ts',
      name: 'leaves the file at the migration before one that fails',
    },
  },
  {
    name: 'catalog-rights',
    protects: 'only its owner reads the catalog, which holds the secrets',
    file: 'src/catalog/catalog-file.ts',
    find: 'if (((await stat(path)).mode & 0o077) !== 0) await chmod(path, FILE_MODE);',
    replacement: '',
    test: { file: 'src/catalog/open-catalog.test.ts', name: 'takes the rights of others from a file that has them' },
  },
  {
    name: 'unfinished-restore',
    protects: 'the half of a restore is not served',
    file: 'src/catalog/data-catalog.ts',
    find: 'if (existsSync(unfinishedRestorePath(data)))',
    replacement: "if (data === '')",
    test: { file: 'src/catalog/data-catalog.test.ts', name: 'is not opened while it is the half of a restore' },
  },
];
