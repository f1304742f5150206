/**
 * `npm run bench`: measures Tidegate and what one would use instead, one after the other in every round, on this machine.
 *
 *   npm run bench                       every part
 *   npm run bench -- ingest close       these parts
 *   npm run bench -- --rounds 5         more rounds than 3
 *   npm run bench -- --small            that everything runs, in small; its figures mean nothing
 *   npm run bench -- --quick            under two minutes: ratios, compared with bench/baseline.json; ends with 1 when one is worse
 *   npm run bench -- --quick --keep     keeps them there instead
 *
 * Figures go to bench/results/ and from there into docs/performance.md; those of --small and --quick to .cache/bench/.
 * Ctrl-C ends what was started.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PUBLISHED_FOLDER, Recorder, writeResult, type PartResult } from './measure/results.ts';
import { Stage } from './measure/stage.ts';
import { measureClose } from './parts/close.ts';
import { measureDownload } from './parts/download.ts';
import { measureGrowth } from './parts/growth.ts';
import { measureIngest } from './parts/ingest.ts';
import { measureInstall } from './parts/install.ts';
import { measureLife } from './parts/life.ts';
import { measurePoll } from './parts/poll.ts';
import type { Part, Size } from './parts/part.ts';
import { compareWithBaseline, writeBaseline } from './quick.ts';
import { setUpPeers } from './set-up.ts';

const PARTS: Readonly<Record<string, Part>> = {
  ingest: measureIngest,
  close: measureClose,
  life: measureLife,
  download: measureDownload,
  poll: measurePoll,
  growth: measureGrowth,
  install: measureInstall,
};

/** What a short run leaves out: it takes too long, or hangs on the registry. */
const NOT_QUICK = ['growth', 'install'];
const UNPUBLISHED_FOLDER = join(import.meta.dirname, '..', '.cache', 'bench');
const ROUNDS: Readonly<Record<Size, number>> = { full: 3, small: 1, quick: 2 };

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    small: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    keep: { type: 'boolean', default: false },
    rows: { type: 'string' },
  },
});

const stage = new Stage();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stage.close().finally(() => process.exit(130)));
}
try {
  await main();
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
} finally {
  await stage.close();
}

async function main(): Promise<void> {
  const unknown = positionals.filter((name) => !(name in PARTS));
  if (unknown.length > 0)
    throw new Error(`There is no part ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}.`);
  setUpPeers();
  const size: Size = flags.quick ? 'quick' : flags.small ? 'small' : 'full';
  const names = positionals.length > 0 ? positionals : partsOf(size);
  const results: PartResult[] = [];
  const failed: string[] = [];
  for (const name of names) {
    try {
      results.push(await runPart(name, size));
    } catch (error) {
      if (names.length === 1) throw error;
      // The others take long, too, and stand by themselves.
      console.error(`bench: ${name}: ${error instanceof Error ? error.message : String(error)}`);
      failed.push(name);
    }
  }
  if (size === 'full' && flags.rows === undefined) writeDocs();
  if (failed.length > 0) throw new Error(`Not measured: ${failed.join(', ')}; see above.`);
  if (size !== 'quick') return;
  if (flags.keep) writeBaseline(results);
  else if (compareWithBaseline(results, console.log) > 0) process.exitCode = 1;
}

/** Puts the new figures into docs/performance.md. */
function writeDocs(): void {
  const script = join(import.meta.dirname, '..', 'scripts', 'docs.ts');
  const { status } = spawnSync(process.execPath, [script], { stdio: 'inherit' });
  if (status !== 0) throw new Error('docs/performance.md could not be written; run node scripts/docs.ts.');
}

function partsOf(size: Size): readonly string[] {
  return Object.keys(PARTS).filter((name) => size !== 'quick' || !NOT_QUICK.includes(name));
}

async function runPart(name: string, size: Size): Promise<PartResult> {
  console.error(`bench: ${name}`);
  const recorder = new Recorder();
  const rounds = flags.rounds === undefined ? ROUNDS[size] : Number(flags.rounds);
  const rows = flags.rows === undefined ? {} : { rows: Number(flags.rows) };
  const own = new Stage();
  const end = stage.add(() => own.close());
  const startMs = performance.now();
  try {
    await PARTS[name]!({ stage: own, recorder, size, rounds, ...rows });
  } finally {
    await end();
  }
  console.error(`bench: ${name} took ${Math.round((performance.now() - startMs) / 1000)} s`);
  const isPublished = size === 'full' && flags.rows === undefined;
  const given = Object.entries(flags).filter(([, value]) => value !== false);
  const options = given.map(([flag, value]) => (value === true ? `--${flag}` : `--${flag} ${value}`));
  const command = ['npm run bench --', name, ...options].join(' ');
  const result = recorder.result(name, command);
  console.error(`bench: ${writeResult(isPublished ? PUBLISHED_FOLDER : UNPUBLISHED_FOLDER, result)}`);
  return result;
}
