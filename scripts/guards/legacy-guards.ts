/** Guards of the 1.0 API: that its packages show what 2.0 shows, and that nothing of an older revision stays. */
import type { Guard } from './guard.ts';

const TABLE = 'src/catalog/legacy-export-table.ts';
const TABLE_TEST = 'src/catalog/legacy-export-table.test.ts';
const MAKE_TEST = 'src/exports/legacy/make-legacy-hour.test.ts';
const RUNNER = 'src/exports/legacy/legacy-runner.ts';
const RUNNER_TEST = 'src/exports/legacy/legacy-runner.test.ts';
const SORTER_TEST = 'src/exports/legacy/send-time-sorter.test.ts';

export const LEGACY_GUARDS: readonly Guard[] = [
  {
    name: 'legacy-lease',
    protects: 'who lost the lease of a 1.0 task publishes nothing',
    file: TABLE,
    find: "if (!(await updateLeased(transaction, 'legacy_task', task, finished))) return false;",
    replacement: "await updateLeased(transaction, 'legacy_task', task, finished);",
    test: { file: TABLE_TEST, name: 'belong to whoever has the newest lease' },
  },
  {
    name: 'legacy-newest',
    protects: '1.0 packages of an older revision are not published',
    file: TABLE,
    find: 'if (newest !== revision) return false;',
    replacement: '',
    test: { file: TABLE_TEST, name: 'are made anew for a new revision' },
  },
  {
    name: 'legacy-source',
    protects: '1.0 packages are made only of what the manifest says',
    file: 'src/exports/legacy/make-legacy-hour.ts',
    find: "if (hash.digest('hex') !== csvSha256)",
    replacement: "if (hash.digest('hex') === csvSha256.slice(1))",
    test: { file: MAKE_TEST, name: 'refuses a source that is not what its manifest says' },
  },
  {
    name: 'legacy-own-names',
    protects: 'attribute has no name twice',
    file: 'src/exports/legacy/legacy-row.ts',
    find: '.filter(([, name]) => !OWN_NAMES.has(name!))',
    replacement: '',
    test: { file: MAKE_TEST, name: 'in the columns of 1.0, by visitor, session and send time', namedIn: MAKE_TEST },
  },
  {
    name: 'legacy-send-time',
    protects: '1.0 rows stand in the order of their send time',
    file: 'src/exports/legacy/send-time-sorter.ts',
    find: 'if (this.#isSorted(from, until)) continue;',
    replacement: 'if (from < until) continue;',
    test: { file: SORTER_TEST, name: 'sorts by send time within each group' },
  },
  {
    name: 'legacy-spill-name',
    protects: 'what does not fit in memory is gone with the process',
    file: 'src/exports/legacy/spill-file.ts',
    find: '    unlinkSync(path);\n',
    replacement: '    void unlinkSync;\n',
    test: { file: SORTER_TEST, name: 'leaves no name on the disk, not even while it spills' },
  },
  {
    name: 'legacy-outdated',
    protects: 'what was made of a replaced revision is deleted',
    file: RUNNER,
    find: 'if (!isPublished) await this.#deleteOutdated(manifest);',
    replacement: 'if (!isPublished && signal.aborted) await this.#deleteOutdated(manifest);',
    test: { file: RUNNER_TEST, name: 'deletes what it made of a revision that is not the newest any more' },
  },
  {
    name: 'legacy-left-over',
    protects: 'what a crash left of an hour for the 1.0 API is deleted before it is made again',
    file: RUNNER,
    find: 'await packages.deleteUnder(legacyFolder(ai, hour), new Set(',
    replacement: 'void new Set(new Set(',
    test: { file: RUNNER_TEST, name: 'deletes what tries before have left' },
  },
  {
    name: 'legacy-removal',
    protects: 'an erasure leaves no byte of a 1.0 package',
    file: 'src/exports/legacy/remove-legacy-hour.ts',
    find: 'await packages.deleteUnder(`${legacyFolder(ai, hour)}/${revisionFolder(revision)}`);',
    replacement: ';',
    test: { file: RUNNER_TEST, name: 'removes the packages of all older revisions and their unfinished files' },
  },
  {
    name: 'legacy-late-cleaning',
    protects: 'packages that another server made while this one was held up before it cleaned up are made again',
    file: 'src/exports/legacy/legacy-runner.ts',
    find: 'if (!(await catalog.legacy.extend(task, clock.nowMs() + leaseMs))) {',
    replacement: 'if (leaseMs < 0) {',
    test: {
      file: 'src/exports/legacy/legacy-runner.test.ts',
      name: 'has packages made again that another server made while this one was held up',
    },
  },
  {
    name: 'legacy-late-removal',
    protects: 'an erasure that is held up deletes no packages that were made of the revision published since',
    file: 'src/exports/legacy/remove-legacy-hour.ts',
    find: 'revision < Math.min(next, newest?.revision ?? next)',
    replacement: 'revision < next',
    test: {
      file: 'src/exports/legacy/legacy-runner.test.ts',
      name: 'leaves the packages that are made of the newest revision while it is held up',
    },
  },
];
