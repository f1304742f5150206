/** Guards of erasure: who may ask, what goes, and that nothing of it stays. */
import type { Guard } from './guard.ts';

const ROUTES = 'src/http/erasure-routes.ts';
const ROUTES_TEST = 'src/http/erasure-routes.test.ts';
const ERASER_TEST = 'src/store/hour-log/hour-log-eraser.test.ts';
const TABLE_TEST = 'src/catalog/erasure-table.test.ts';
const E2E = 'test/erasure.e2e.test.ts';
const CLICKS_TEST = 'test/erasure-clicks.e2e.test.ts';

export const ERASURE_GUARDS: readonly Guard[] = [
  {
    name: 'erasure-proof',
    protects: 'only who knows the secret has visitors erased',
    file: ROUTES,
    find: "return isSigned && request.headers['access-token'] === project?.clientId ? project : undefined;",
    replacement: "return request.headers['access-token'] === project?.clientId ? project : undefined;",
    test: { file: ROUTES_TEST, name: 'tells a stranger nothing but Unauthorized' },
  },
  {
    name: 'erasure-public-key',
    protects: "another project's public key has nothing erased",
    file: ROUTES,
    find: "isSigned && request.headers['access-token'] === project?.clientId",
    replacement: 'isSigned',
    test: { file: ROUTES_TEST, name: 'tells a stranger nothing but Unauthorized' },
  },
  {
    name: 'erasure-send-time',
    protects: 'what came in after the request stays',
    file: 'src/store/hour-log/visitor-matcher.ts',
    find: 'return found?.find(({ untilMs }) => record.sendTimeMs <= untilMs)?.erasure;',
    replacement: 'return found?.[0]?.erasure;',
    test: { file: ERASER_TEST, name: 'takes rows up to an instant, and leaves those that came later' },
  },
  {
    name: 'erasure-old-runs',
    protects: 'E1: the runs of before are deleted',
    file: 'src/store/hour-log/hour-log-eraser.ts',
    find: 'await deleteUnnamed(folder, new Set(runs));',
    replacement: '',
    test: { file: ERASER_TEST, name: 'leaves no byte behind' },
  },
  {
    name: 'erasure-readers',
    protects: 'E2: a reader whose runs were replaced reads those in their place',
    file: 'src/store/hour-log/hour-log-reader.ts',
    find: 'if (!isMissingRun(error) || isSameList(paths, this.runPaths(hour))) throw error;',
    replacement: 'throw error;',
    test: { file: ERASER_TEST, name: 'sends a reader whose files have just gone to the runs in their place' },
  },
  {
    name: 'erasure-keeps-task',
    protects: 'an hour that an erasure takes back is published again, by the export that takes it back or by the next',
    file: 'src/erasure/hour-erasure.ts',
    find: 'else if (!(await keepTask()))',
    replacement: 'else if (ai === undefined)',
    test: {
      file: 'src/erasure/hour-erasure.test.ts',
      name: 'an export that has lost its task to another takes back nothing',
    },
  },
  {
    name: 'erasure-leaves-published',
    protects: 'an erasure that ends deletes no package of a revision that was published since it took the hour back',
    file: 'src/erasure/erasure-runner.ts',
    find: 'await deleteUnpublished(catalog, packages, { ai, hour, revision });',
    replacement:
      'if (revision < newest.revision) await packages.deleteUnder(`${legacyFolder(ai, hour).slice(0, -3)}/${revisionFolder(revision)}`);',
    test: {
      file: 'test/erasure.e2e.test.ts',
      name: 'leaves what was published of an hour between its erasure and the end of all',
    },
  },
  {
    name: 'erasure-beside-erasure',
    protects:
      'E2: runs that another process replaces while visitors are looked for fail neither an erasure nor an export',
    file: 'src/store/hour-log/hour-log-eraser.ts',
    find: 'if (isSameList(runPaths, reader.runPaths(hour))) throw error;',
    replacement: 'throw error;',
    test: {
      file: ERASER_TEST,
      name: 'looks anew through runs that another process replaces while they are looked through',
    },
  },
  {
    name: 'erasure-beside-backup',
    protects: 'C1: a list of runs in a backup names runs that are in it',
    file: 'src/backup/hour-log-copy.ts',
    find: 'if (ready && !isSame(readReady(root, hour), ready))',
    replacement: 'if (ready && !isSame(ready, ready))',
    test: {
      file: 'src/backup/hour-log-copy.test.ts',
      name: 'copies an hour or an import again from which an erasure takes something meanwhile',
    },
  },
  {
    name: 'erasure-counted',
    protects: 'the ledger says what was erased',
    file: 'src/store/hour-log/erase-runs.ts',
    find: 'writer.finish(index.receipts, index.source, counts.list());',
    replacement: 'writer.finish(index.receipts, index.source);',
    test: { file: ERASER_TEST, name: 'takes the rows of one visitor, and no others' },
  },
  {
    name: 'erasure-before-export',
    protects: 'the open hour is erased before its first export',
    file: 'src/system.ts',
    find: 'beforeExport: (ai, hour, keepTask) => erasures.beforeExport(ai, hour, keepTask),',
    replacement: '',
    test: { file: E2E, name: 'erases what came in before the request from the open hour before its first export' },
  },
  {
    name: 'erasure-withdraws',
    protects: 'no manifest names a package that an erasure has deleted',
    file: 'src/erasure/hour-erasure.ts',
    find: 'await catalog.manifests.withdraw(ai, hour);',
    replacement: '',
    test: { file: E2E, name: 'answers 410 on links that were given out before' },
  },
  {
    name: 'erasure-ids-overwritten',
    protects: 'deleted ids are overwritten in the catalog',
    file: 'src/catalog/sqlite-database.ts',
    find: 'PRAGMA secure_delete = ON;',
    replacement: 'PRAGMA secure_delete = OFF;',
    test: { file: TABLE_TEST, name: 'keeps the ids until they are forgotten, and then no byte of them' },
  },
  {
    name: 'erasure-log-cut',
    protects: "deleted ids are not left in the catalog's log",
    file: 'src/catalog/sqlite-database.ts',
    find: 'PRAGMA wal_checkpoint(TRUNCATE)',
    replacement: 'PRAGMA wal_checkpoint(PASSIVE)',
    test: { file: TABLE_TEST, name: 'keeps the ids until they are forgotten, and then no byte of them' },
  },
  {
    name: 'erasure-clicks-elsewhere',
    protects: 'clicks in hours that were looked through before their devices were found go',
    file: 'src/erasure/hour-erasure.ts',
    find: '(areRowsDue(erasure, hour) || owners.length > searchedOwners)',
    replacement: 'areRowsDue(erasure, hour)',
    test: { file: CLICKS_TEST, name: "takes the clicks of the visitor's devices out of every hour" },
  },
  {
    name: 'erasure-clicks-of-others',
    protects: 'a click of another device from the same address stays',
    file: 'src/store/hour-log/click-matcher.ts',
    find: 'return found && ids.every((id) => readDeviceId(id, OAID_WIDTH) === null) ? found.erasure : undefined;',
    replacement: 'return found?.erasure;',
    test: { file: CLICKS_TEST, name: "takes the clicks of the visitor's devices out of every hour" },
  },
  {
    name: 'erasure-sweep-overwritten',
    protects: 'hashes that a sweep took from the click index are not left in its free pages',
    file: 'src/ads/click-index-file.ts',
    find: 'PRAGMA secure_delete = ON;',
    replacement: 'PRAGMA secure_delete = FAST;',
    test: {
      file: 'src/ads/click-index-file.test.ts',
      name: 'leave no copy in pages that a sweep gave free, when the file is wiped',
    },
  },
  {
    name: 'erasure-unsafe-id',
    protects: 'an id is looked for as rows hold it',
    file: 'src/store/hour-log/visitor-matcher.ts',
    find: 'const visitor = safeText(erased.visitor);',
    replacement: 'const visitor = erased.visitor;',
    test: { file: E2E, name: 'knows a visitor by the id that was sent, also where rows hold it' },
  },
  {
    name: 'erasure-server-events-behind',
    protects: "server events of later hours are told to be the visitor's before his pages go",
    file: 'src/erasure/hour-erasure.ts',
    find: 'await this.#prepareLater(hour);',
    replacement: '',
    test: {
      file: 'test/erasure.crash.test.ts',
      name: "takes server events of the visitor's login user in an hour that nobody had prepared",
    },
  },
  {
    name: 'erasure-earlier-of-same',
    protects: 'no receipt is done while an earlier erasure keeps the id',
    file: 'src/erasure/erasure-runner.ts',
    find: 'return earlier.ai === ai && earlier.visitorIds.some((visitor) => visitorIds.includes(visitor));',
    replacement: 'return earlier.ai !== ai && earlier.visitorIds.some((visitor) => visitorIds.includes(visitor));',
    test: { file: E2E, name: 'is not done before an earlier one of the same visitor is' },
  },
];
