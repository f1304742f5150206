/**
 * Downloads every package of every hour through the export API and checks each row; then has the program itself check its stores
 * (`tidegate verify`) and show the ledger of each hour.
 *
 * Memory: one package.
 */
import { LEDGER_SUMS, sumLedger, type LedgerSums } from './ledger-sums.ts';
import type { ExportClient } from '../../src/client/export-client.ts';
import { formatBeijingHour, type Hour } from '../../src/events/hour.ts';
import { parseCsv } from '../helpers/parse-csv.ts';
import { TEST_PROJECT } from '../helpers/test-server.ts';
import { runTidegate } from '../helpers/tidegate-command.ts';
import type { EventAccount } from './event-account.ts';
import { askLinks, fetchPackage, type FinishedHour } from './hour-watch.ts';
import { readRow, type ExportedRow } from './soak-event.ts';

export type ExportsCheck = {
  readonly packages: number;
  readonly rows: number;
  /** What is wrong besides lost and doubled events; the first few. */
  readonly faults: readonly string[];
};

const MAX_FAULTS = 10;

/** Checks every row of these hours and counts it in the account. */
export async function checkExports(
  client: ExportClient,
  hours: readonly FinishedHour[],
  account: EventAccount,
): Promise<ExportsCheck> {
  const faults: string[] = [];
  let [packages, rows] = [0, 0];
  for (const { hour, digests } of hours) {
    const name = formatBeijingHour(hour);
    const now: string[] = [];
    for (const [dataType, links] of Object.entries((await askLinks(client, hour)) ?? {})) {
      for (const link of links) {
        const { text, digest } = await fetchPackage(link);
        now.push(digest);
        packages += 1;
        if (dataType === 'custom_event') rows += checkPackage(text, hour, { account, faults });
        else faults.push(`hour ${name} has rows in ${dataType}, where none were sent`);
      }
    }
    if (now.join() !== digests.join()) faults.push(`the packages of hour ${name} changed after they were published`);
  }
  return { packages, rows, faults: faults.slice(0, MAX_FAULTS) };
}

/** Checks the rows of a package and returns how many it has. */
export function checkPackage(
  text: string,
  hour: Hour,
  { account, faults }: { readonly account: EventAccount; readonly faults: string[] },
): number {
  const where = `hour ${formatBeijingHour(hour)}`;
  const [header = [], ...records] = parseCsv(text);
  for (const record of records) {
    const row: ExportedRow = Object.fromEntries(header.map((column, place) => [column, record[place] ?? null]));
    const number = readRow(row, hour);
    if (typeof number !== 'string') account.countRow(number, where);
    else if (faults.length < MAX_FAULTS) faults.push(`${where}: ${number}`);
  }
  return records.length;
}

/** Runs `tidegate verify` on a data directory. Returns what it found wrong. */
export async function verifyData(data: string): Promise<readonly string[]> {
  const { exitCode, stdout, stderr } = await runTidegate('verify', '--data', data, '--json');
  if (exitCode === 0) return [];
  return [`tidegate verify ended with ${String(exitCode)}: ${stdout.slice(0, 2000)} ${stderr.slice(0, 2000)}`];
}

/** Runs `tidegate ledger` for each hour. Returns the sums, and what does not balance. */
export async function checkLedgers(
  data: string,
  hours: readonly Hour[],
): Promise<{ readonly sums: LedgerSums; readonly faults: readonly string[] }> {
  const faults: string[] = [];
  const sums = { ...LEDGER_SUMS };
  for (const hour of hours) {
    const name = formatBeijingHour(hour);
    const ledger = await runTidegate('ledger', '--data', data, '--ai', TEST_PROJECT.ai, '--hour', name, '--json');
    if (ledger.exitCode === 0) faults.push(...sumLedger(name, ledger.stdout, sums));
    else faults.push(`tidegate ledger ended with ${String(ledger.exitCode)} for hour ${name}: ${ledger.stderr}`);
  }
  return { sums, faults };
}
