/** Guards of projects' settings and of rejected events. */
import type { Guard } from './guard.ts';

const TIMELINE = 'src/catalog/setting-timeline.ts';
const SWEEP = 'src/exports/retention-sweep.ts';
const SWEEP_TEST = 'src/exports/retention-sweep.test.ts';
const REPLAY = 'src/imports/replay-rejected.ts';
const REPLAY_TEST = 'src/imports/replay-rejected.test.ts';
const E2E_TEST = 'test/settings.e2e.test.ts';

export const SETTINGS_GUARDS: readonly Guard[] = [
  {
    name: 'setting-of-the-hour',
    protects: 'an hour is exported with the settings that were in force in it, whenever it is exported',
    file: 'src/exports/task-runner.ts',
    find: '.packageSettings(hour, { packageBytes });',
    replacement: '.packageSettings((hour + 1_000_000) as Hour, { packageBytes });',
    test: { file: E2E_TEST, name: 'gives an hour that is exported again the bytes that it had' },
  },
  {
    name: 'setting-export-off',
    protects: 'hours in which export was off do not exist',
    file: TIMELINE,
    find: 'return isChanged ? changed.value === true : hour >= enabledHour;',
    replacement: 'return hour >= enabledHour;',
    test: { file: 'src/catalog/setting-timeline.test.ts', name: 'and not in the hours that it was off' },
  },
  {
    name: 'setting-seen-at-once',
    protects: 'every process sees a change of a setting at its next question',
    file: 'src/catalog/setting-table.ts',
    find: `values(rows).execute();
      await markProjectsChanged(transaction);`,
    replacement: 'values(rows).execute();',
    test: { file: 'src/catalog/setting-table.test.ts', name: 'shows a change to every other process' },
  },
  {
    name: 'retention-of-the-longest',
    protects: 'rows stay as long as any project keeps their hour',
    file: SWEEP,
    find: '(Math.min(...limits) as Hour)',
    replacement: '(Math.max(...limits) as Hour)',
    test: { file: SWEEP_TEST, name: 'goes by the retention of each project' },
  },
  {
    name: 'retention-remembered',
    protects: 'a longer retention brings no hour back that was deleted',
    file: SWEEP,
    find: 'await catalog.settings.markDeletedBefore(ai, limit);',
    replacement: '',
    test: { file: SWEEP_TEST, name: 'brings nothing back when the retention becomes longer' },
  },
  {
    name: 'retention-longer',
    protects: 'hours that a longer retention brings back are exported',
    file: 'src/exports/hour-scheduler.ts',
    find: 'if (ensured && keptFrom < ensured.from) ensured = undefined;',
    replacement: '',
    test: { file: 'test/retention.e2e.test.ts', name: 'exports the hours that come back when it is made longer' },
  },
  {
    name: 'printed-whole',
    protects: 'a download of rejected events, or a list, reaches a pipe whole',
    file: 'src/cli.ts',
    find: 'await flush(process.stdout);',
    replacement: 'void flush;',
    test: { file: 'test/commands.e2e.test.ts', name: 'prints everything into a pipe' },
  },
  {
    name: 'line-breaks-blank',
    protects: 'a project whose readers need it gets a line for each row',
    file: 'src/exports/export-hour.ts',
    find: "lineBreaks === 'blank' ? blankLineBreaks(counted()) : counted();",
    replacement: "lineBreaks === 'blank' ? counted() : counted();",
    test: { file: E2E_TEST, name: 'changes with the next hour' },
  },
  {
    name: 'verify-header',
    protects: 'a package that lacks the columns its manifest speaks of is seen',
    file: 'src/exports/package-check.ts',
    find: '!header || head.equals(header) ?',
    replacement: '!header || head.length > 0 ?',
    test: { file: 'src/exports/package-check.test.ts', name: 'holds the CSV to what the manifest says' },
  },
  {
    name: 'replay-begun-first',
    protects: 'a replay that dies behind its append has left word of it',
    file: REPLAY,
    find: 'await catalog.replays.begin(ai, { hour, ids, begunHour: hourOf(clock.nowMs()) });',
    replacement: '',
    test: { file: REPLAY_TEST, name: 'finds what a replay that died had sent' },
  },
  {
    name: 'replay-arrived',
    protects: 'what a replay that died had sent is not sent again hours later',
    file: REPLAY,
    find: 'const missing = await withoutArrived(options, mapper, taken, counts);',
    replacement: 'const missing = taken.map(({ record }) => record);',
    test: { file: REPLAY_TEST, name: 'finds what a replay that died had sent' },
  },
  {
    name: 'replay-once',
    protects: 'an event is replayed once',
    file: REPLAY,
    find: '(before && before.sentAtMs !== null)',
    replacement: '(before && before.sentAtMs === 0)',
    test: { file: REPLAY_TEST, name: 'sends no event twice' },
  },
  {
    name: 'replay-own-events',
    protects: 'nothing is replayed that was not rejected here, for this project',
    file: 'src/exports/rejected-events.ts',
    find: 'if (hour === undefined || proof !== proofOf(',
    replacement: "if (hour === undefined || proof === 'none' + proofOf(",
    test: { file: REPLAY_TEST, name: 'refuses lines that are no rejected events of the project' },
  },
  {
    name: 'unknown-project-in-turn',
    protects: 'no project that was made before a request was sent is said not to be there',
    file: 'src/catalog/project-cache.ts',
    find: ' ?? this.findByAi(ai)',
    replacement: '',
    test: {
      file: 'src/catalog/project-table.test.ts',
      name: 'finds in the same turn a project that was made after the turn has looked',
    },
  },
  {
    name: 'look-in-long-turn',
    protects: 'a turn that takes long looks for changes again',
    file: 'src/catalog/project-cache.ts',
    find: 'const FRESH_MS = 1;',
    replacement: 'const FRESH_MS = Infinity;',
    test: {
      file: 'src/catalog/project-table.test.ts',
      name: 'finds in the same turn a project that was made after the turn has looked',
    },
  },
];
