/** Guards of exports: duplicates, the ledger, packages, tasks, retention. */
import type { Guard } from './guard.ts';

const SYNC_TEST = 'test/sync-order.crash.test.ts';
const SWEEP = 'src/exports/retention-sweep.ts';
const SWEEP_TEST = 'src/exports/retention-sweep.test.ts';
const RUNNER_TEST = 'src/exports/task-runner.test.ts';

export const EXPORT_GUARDS: readonly Guard[] = [
  {
    name: 'duplicates-first',
    protects: 'a row that came twice is exported once',
    file: 'src/exports/distinct-rows.ts',
    find: "if (this.#keep === 'first') return isFirst;",
    replacement: "if (this.#keep === 'first') return true;",
    test: { file: 'src/exports/distinct-rows.test.ts', name: 'distinctRows' },
  },
  {
    name: 'duplicates-of-hour-before',
    protects: 'a row that was published in the hour before is not exported again',
    file: 'src/exports/distinct-rows.ts',
    find: 'if (this.#isPublished) return false;',
    replacement: '',
    test: { file: 'src/exports/distinct-rows.test.ts', name: 'distinctRows' },
  },
  {
    name: 'ledger-check',
    protects: 'an hour whose ledger does not balance is not published',
    file: 'src/exports/export-hour.ts',
    find: 'checkLedger(ledger);',
    replacement: '',
    test: { file: 'src/exports/export-hour.test.ts', name: 'refuses an hour from which an event is missing' },
  },
  {
    name: 'ledger-events',
    protects: 'the ledger misses an event',
    file: 'src/exports/ledger.ts',
    find: 'received === accepted + rejected + ignored + (erased ?? 0)\n',
    replacement: 'received >= 0\n',
    test: { file: 'src/exports/export-hour.test.ts', name: 'refuses an hour from which an event is missing' },
  },
  {
    name: 'ledger-rows',
    protects: 'the ledger sees a row too many',
    file: 'src/exports/ledger.ts',
    find: 'made === exported + duplicates + (erased ?? 0)\n',
    replacement: 'made >= 0\n',
    test: { file: 'src/exports/export-hour.test.ts', name: 'refuses an hour that has a row too many' },
  },
  {
    name: 'package-name-last',
    protects: 'P1: a package has its name only when it is whole',
    file: 'src/packages/local-package-store.ts',
    find: 'const temporaryPath = join(dirname(path), `.${basename(path)}.${randomUUID()}.tmp`);',
    replacement: 'const temporaryPath = path;',
    test: { file: 'src/packages/local-package-store.test.ts', name: 'shows a package only after finish' },
  },
  {
    name: 'package-sync',
    protects: 'P1: a package is synced before it gets its name',
    file: 'src/packages/local-package-sink.ts',
    find: 'await file.sync();',
    replacement: '',
    test: { file: SYNC_TEST, name: 'P1 finishes a package when it is synced' },
  },
  {
    name: 'package-name-sync',
    protects: 'P1: the name of a package is durable when it is finished',
    file: 'src/packages/local-package-sink.ts',
    find: 'await syncFolder(folder);',
    replacement: '',
    test: { file: SYNC_TEST, name: 'P1 finishes a package when it is synced' },
  },
  {
    name: 'manifest-last',
    protects: 'a package is finished before it can stand in a manifest',
    file: 'src/exports/package-file.ts',
    find: 'await this.#sink.finish();',
    replacement: 'void this.#sink;',
    test: {
      file: 'src/exports/export-hour.test.ts',
      name: 'gives the entries of a manifest when their packages are finished',
    },
  },
  {
    name: 'package-key',
    protects: 'a package key leads to no file outside the store',
    file: 'src/packages/local-package-store.ts',
    find: 'if (!KEY.test(key)) throw new RangeError(`${JSON.stringify(key)} is no package key`);',
    replacement: '',
    test: {
      file: 'src/packages/local-package-store.test.ts',
      name: 'refuses keys that are no relative path of safe names',
    },
  },
  {
    name: 'lease',
    protects: 'a worker whose lease another has taken changes nothing',
    file: 'src/catalog/task-lease.ts',
    find: "    .where('lease_id', '=', task.leaseId)\n",
    replacement: '',
    test: {
      file: 'src/catalog/task-table.test.ts',
      name: 'changes nothing for a worker whose lease another has taken',
    },
  },
  {
    name: 'lease-of-publication',
    protects: 'a worker that lost its lease publishes nothing',
    file: 'src/catalog/manifest-table.ts',
    find: 'if (!(await finishTask(transaction, task))) return undefined;',
    replacement: 'await finishTask(transaction, task);',
    test: { file: 'src/catalog/manifest-table.test.ts', name: 'changes nothing when the lease was lost' },
  },
  {
    name: 'lease-time',
    protects: 'a task is not taken from a worker whose lease has not ended',
    file: 'src/catalog/task-lease.ts',
    find: "task('claimable_at_ms', '>', farAheadMs)",
    replacement: "task('claimable_at_ms', '>', nowMs)",
    test: { file: 'src/catalog/task-table.test.ts', name: 'hands over a task whose lease has ended' },
  },
  {
    name: 'next-revision',
    protects: 'a publication is the next revision of its hour',
    file: 'src/catalog/manifest-table.ts',
    find: 'if (revision === next) return;',
    replacement: 'if (next > 0) return;',
    test: { file: 'src/catalog/manifest-table.test.ts', name: 'refuses any revision but the next' },
  },
  {
    name: 'passing-faults',
    protects: 'a full disk never fails an export for good',
    file: 'src/exports/failed-try.ts',
    find: '(attempts >= maxAttempts && !isPassing),',
    replacement: '(attempts >= maxAttempts && isPassing === isPassing),',
    test: { file: RUNNER_TEST, name: 'never fails a task for' },
  },
  {
    name: 'attempts',
    protects: 'an export that fails again and again becomes an ERROR',
    file: 'src/exports/failed-try.ts',
    find: '(attempts >= maxAttempts && !isPassing),',
    replacement: 'attempts === Infinity,',
    test: { file: RUNNER_TEST, name: 'fails a task after its last try with the reason' },
  },
  {
    name: 'hopeless-errors',
    protects: 'what no try can mend is an ERROR at once',
    file: 'src/exports/failed-try.ts',
    find: 'HOPELESS_CODES.includes(code) ||',
    replacement: '',
    test: { file: RUNNER_TEST, name: 'fails a task at its first try for' },
  },
  {
    name: 'clock-doubt',
    protects: 'a clock that jumped ahead deletes nothing at once',
    file: SWEEP,
    find: 'if (this.#sweptAt === now || !this.#isCredible(today)) return;',
    replacement: 'if (this.#sweptAt === now) return;',
    test: { file: SWEEP_TEST, name: 'does not follow a clock that jumps ahead' },
  },
  {
    name: 'retention-after-export',
    protects: 'an hour that is not exported keeps its rows, however old',
    file: SWEEP,
    find: 'else kept.push(hour);',
    replacement: '',
    test: { file: SWEEP_TEST, name: 'keeps the rows of an hour that is not exported yet' },
  },
  {
    name: 'retention-of-failed',
    protects: 'an hour that failed keeps its rows for as long again',
    file: SWEEP,
    find: 'if (isFailed && hour < givenUp)',
    replacement: 'if (isFailed)',
    test: { file: SWEEP_TEST, name: 'keeps an hour that failed for as long again' },
  },
  {
    name: 'manifest-deleted-first',
    protects: 'no manifest names a package that retention has deleted',
    file: SWEEP,
    find: `    await catalog.manifests.deletePackagesBefore(limit, ai);
    await catalog.legacy.deleteBefore(ai, limit);
    await packages.deleteBefore(ai, limit);
`,
    replacement: `    await packages.deleteBefore(ai, limit);
    await catalog.legacy.deleteBefore(ai, limit);
    await catalog.manifests.deletePackagesBefore(limit, ai);
`,
    test: { file: SWEEP_TEST, name: 'deletes the manifest before its packages' },
  },
];
