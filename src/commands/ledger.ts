/** `tidegate ledger`: the two balances of a published hour, which prove that nothing was lost or made up on the way. */
import type { Catalog, ExportTask, Ledger, Manifest } from '../catalog/catalog.ts';
import { openExistingCatalog } from '../catalog/data-catalog.ts';
import { AppError } from '../errors/app-error.ts';
import { addHours, formatBeijingHour, type Hour } from '../events/hour.ts';
import { systemClock } from '../lib/clock.ts';
import type { Command } from './command.ts';
import { hourOption } from './hour-option.ts';

type Print = (line: string) => void;

export const ledgerCommand: Command = {
  words: ['ledger'],
  summary: 'Show what came in during an hour against what was kept, and what was kept against what was exported.',
  options: ['data', 'ai', 'hour', 'json'],
  required: ['ai', 'hour'],
  run: async ({ options, print }) => {
    const hour = hourOption(options);
    const catalog = await openExistingCatalog(options.text('data'), systemClock);
    try {
      const { manifest, task } = await readHour(catalog, options.text('ai'), hour);
      if (manifest) {
        if (options.flag('json')) print(JSON.stringify(describe(manifest, task), null, 2));
        else printLedger(manifest, print);
      }
      refuseUnfinished(hour, manifest, task);
    } finally {
      await catalog.close();
    }
  },
};

type HourFacts = { readonly manifest: Manifest | undefined; readonly task: ExportTask | undefined };

async function readHour(catalog: Catalog, ai: string, hour: Hour): Promise<HourFacts> {
  if (!catalog.projects.findByAi(ai)) throw new AppError('unknown_project', `There is no project ${ai}.`);
  const [task] = await catalog.tasks.list(ai, { from: hour, until: addHours(hour, 1) });
  return { manifest: await catalog.manifests.newest(ai, hour), task };
}

/** @throws AppError when the hour has no ledger, or a later try of its export has failed */
function refuseUnfinished(hour: Hour, manifest: Manifest | undefined, task: ExportTask | undefined): void {
  const name = `Hour ${formatBeijingHour(hour)} (Beijing time)`;
  if (task?.status === 'failed') {
    const published = manifest ? `; what is shown is revision ${manifest.revision}, published before` : '';
    throw new AppError('hour_failed', `${name} is in ERROR${published}: ${task.error ?? 'no reason was recorded.'}`);
  }
  if (manifest) return;
  const last = task?.error ? ` Its last try failed: ${task.error}` : '';
  const why = task ? `is not exported yet.${last}` : 'has no export: it has not ended, or it is not kept.';
  throw new AppError('no_manifest', `${name} ${why}`);
}

function describe({ facts, packages: _packages, ...entry }: Manifest, task: ExportTask | undefined): object {
  return {
    ...entry,
    hour: formatBeijingHour(entry.hour),
    publishedAtMs: undefined,
    publishedAt: new Date(entry.publishedAtMs).toISOString(),
    ledger: facts.ledger,
    status: task?.status ?? null,
    error: task?.error ?? null,
  };
}

function printLedger(manifest: Manifest, print: Print): void {
  const { ai, hour, revision, seq, hash, publishedAtMs, facts, packages } = manifest;
  const publishedAt = new Date(publishedAtMs).toISOString();
  print(`Project ${ai}, hour ${formatBeijingHour(hour)} (Beijing time)`);
  print(
    `Revision ${revision}, entry ${seq} of the publication log, ${packages.length} packages, published ${publishedAt}`,
  );
  print(`Hash ${hash}`);
  for (const line of [...eventLines(facts.ledger), ...rowLines(facts.ledger)]) print(line);
  const { imported, replayed = 0 } = facts.ledger;
  if (imported > 0) print(`\n${imported} of the events came by import.`);
  if (replayed > 0) print(`\n${replayed} of the events had been rejected before, and were replayed.`);
}

function eventLines({ events }: Ledger): readonly string[] {
  const hasErased = Object.values(events).some(({ erased }) => erased !== undefined);
  const rows = Object.entries(events).map(([line, { received, accepted, rejected, ignored, erased = 0 }]) => ({
    name: line,
    numbers: [received, accepted, rejected, ignored, ...(hasErased ? [erased] : [])],
  }));
  const head = ['events', 'received', '= accepted', '+ rejected', '+ ignored', ...(hasErased ? ['+ erased'] : [])];
  return ['', ...table(head, rows)];
}

function rowLines({ rows }: Ledger): readonly string[] {
  const hasErased = Object.values(rows).some(({ erased }) => erased !== undefined);
  const lines = Object.entries(rows).map(([dataType, { made, exported, duplicates, erased = 0 }]) => ({
    name: dataType,
    numbers: [made, exported, duplicates, ...(hasErased ? [erased] : [])],
  }));
  return ['', ...table(['rows', 'made', '= exported', '+ duplicates', ...(hasErased ? ['+ erased'] : [])], lines)];
}

type TableRow = { readonly name: string; readonly numbers: readonly number[] };

/** Lays out numbers in columns, with their sums. */
function table(head: readonly string[], rows: readonly TableRow[]): readonly string[] {
  const sums = head.slice(1).map((_, place) => rows.reduce((sum, { numbers }) => sum + numbers[place]!, 0));
  const lines = [
    head,
    ...rows.map(({ name, numbers }) => [name, ...numbers.map(String)]),
    ['total', ...sums.map(String)],
  ];
  const widths = head.map((_, place) => Math.max(...lines.map((line) => line[place]!.length)));
  return lines.map((line) =>
    line.map((cell, place) => (place === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[place]!))).join('  '),
  );
}
