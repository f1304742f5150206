/** What a soak found, as a table, and whether it passed. */
import type { AccountSummary } from './event-account.ts';
import type { Kills } from './kill-loop.ts';
import type { LedgerSums } from './ledger-sums.ts';
import type { LoadCounts } from './soak-load.ts';
import type { SoakOptions } from './soak-options.ts';

export type SoakFindings = {
  readonly options: SoakOptions;
  readonly loadSeconds: number;
  readonly account: AccountSummary;
  readonly load: LoadCounts;
  readonly kills: Kills;
  readonly failedStarts: number;
  /** From the end of each hour until a client saw FINISHED. */
  readonly waitedMs: readonly number[];
  readonly packages: number;
  readonly rows: number;
  readonly ledger: LedgerSums;
  /** What the ledgers of the hours have wrong. */
  readonly ledgerFaults: readonly string[];
  /** What `tidegate verify` says is wrong. */
  readonly verifyFaults: readonly string[];
  /** Whatever else is wrong. */
  readonly faults: readonly string[];
};

export const FINISHED_WITHIN_MS = 60_000;

/** Says in sentences why a soak did not pass; none when it did. */
export function failuresOf({ account, waitedMs, rows, ledger, ...findings }: SoakFindings): readonly string[] {
  const { lost, doubled, strangers, examples } = account;
  const late = waitedMs.filter((ms) => ms > FINISHED_WITHIN_MS).length;
  const failures: string[] = [];
  if (lost > 0) failures.push(`${lost} acknowledged events are lost.`);
  if (doubled > 0) failures.push(`${doubled} rows are doubled.`);
  if (strangers > 0) failures.push(`${strangers} rows are of events that were never sent.`);
  failures.push(...examples.map((example) => `${example}.`));
  if (account.acknowledged === 0) failures.push('No event was acknowledged.');
  if (late > 0) failures.push(`${late} hours were not FINISHED within ${FINISHED_WITHIN_MS / 1000} s of their end.`);
  if (ledger.exported !== rows) failures.push(`The ledgers say ${ledger.exported} rows; the packages have ${rows}.`);
  if (ledger.rejected + ledger.ignored > 0) failures.push('Events were rejected or ignored.');
  const { faults, ledgerFaults, verifyFaults } = findings;
  return [...failures, ...[...faults, ...ledgerFaults, ...verifyFaults].map((fault) => `${fault}.`)];
}

/** Prints the table. */
export function tableOf(findings: SoakFindings): string {
  const { options, loadSeconds, account, load, kills, failedStarts, waitedMs, packages, rows, ledger } = findings;
  const { ledgerFaults, verifyFaults } = findings;
  const killed = Object.values(kills).reduce((sum, count) => sum + count, 0);
  const lines: readonly (readonly [string, string])[] = [
    ['load', `${seconds(loadSeconds * 1000)}, ${count(account.acknowledged / loadSeconds)} acknowledged events/s`],
    ['collectors, clients', `${options.collectors}, ${options.clients}`],
    ['seed', String(options.seed)],
    ['kills', `${killed}: ${Object.entries(kills).map(nameKills).join(', ')}`],
    ['starts that failed and were tried again', count(failedStarts)],
    ['longest time without an acknowledgement', seconds(load.longestSilenceMs)],
    ['requests', count(load.requests)],
    ['  of them sent again without an answer', count(load.resentWithoutAnswer)],
    ['  of them sent again after an answer', count(load.resentAfterAnswer)],
    ['  of these two, when the next hour had begun', count(load.resentInNextHour)],
    ['  answered with 503, come again', count(load.refused)],
    ['events sent', count(account.sent)],
    ['  acknowledged', count(account.acknowledged)],
    ['  not acknowledged', count(account.unacknowledged)],
    ['    of them exported all the same, once', count(account.exportedUnacknowledged)],
    ['hours', `${waitedMs.length} of ${options.hourSeconds} s, all FINISHED`],
    ['longest time from an end to FINISHED', seconds(Math.max(...waitedMs))],
    ['packages', count(packages)],
    ['rows checked', count(rows)],
    ['duplicates removed by the export', count(ledger.duplicates)],
    ['faults in the ledgers of the hours', count(ledgerFaults.length)],
    ['faults that tidegate verify found', count(verifyFaults.length)],
    ['lost', count(account.lost)],
    ['doubled', count(account.doubled)],
  ];
  const width = Math.max(...lines.map(([name]) => name.length));
  return lines.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
}

function nameKills([kind, times]: readonly [string, number]): string {
  return `${times} × ${kind}`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
