/**
 * `npm run soak`: load on several collectors, a kill -9 every 20 to 40 s, hours of two minutes, then a check of every acknowledged
 * event against the exports. Ends with 1 when anything was lost or doubled or an hour was late; then the data directory stays.
 *
 *   npm run soak -- --minutes 20 [--collectors 3] [--rate 4000] [--clients 8] [--hour-seconds 120] [--kill-every 20-40]
 *                   [--seed N] [--keep]
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSoak } from './run-soak.ts';
import { parseSoakOptions, type SoakOptions } from './soak-options.ts';
import { failuresOf, tableOf } from './soak-report.ts';

const print = (line: string): void => console.log(line);

try {
  const options = parseSoakOptions(process.argv.slice(2));
  const folder = await mkdtemp(join(tmpdir(), 'tidegate-soak-'));
  print(`Soak of ${options.minutes} minutes in ${folder}, seed ${options.seed}.`);
  const isClean = await soakIn(folder, options);
  if (!isClean) process.exitCode = 1;
  if (!isClean || options.keepsData) print(`The data directory and the server's log are kept in ${folder}.`);
  else await rm(folder, { recursive: true, maxRetries: 3 });
} catch (error) {
  print(`failed: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

/** Runs a soak and prints what it found. True when nothing was wrong. */
async function soakIn(folder: string, options: SoakOptions): Promise<boolean> {
  let failures: readonly string[];
  try {
    const findings = await runSoak(options, folder, print);
    failures = failuresOf(findings);
    print(`\n${tableOf(findings)}\n`);
  } catch (error) {
    failures = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
  for (const failure of failures) print(`failed: ${failure}`);
  if (failures.length === 0) print('Nothing was lost, nothing was doubled.');
  return failures.length === 0;
}
