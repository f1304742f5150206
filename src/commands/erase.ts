/**
 * `tidegate erase` and `tidegate erase status`: erases visitors, and says how far that is.
 *
 * Asking is one change of the catalog: a running server begins within a second, one that starts later when it starts. With --wait the
 * command does the work itself, beside a server or without one.
 */
import type { Catalog } from '../catalog/catalog.ts';
import { openExistingCatalog } from '../catalog/data-catalog.ts';
import { expectedByMs, refuseVisitors, type Erasure } from '../catalog/erasures.ts';
import type { OptionValues } from '../config/parse-options.ts';
import { AppError } from '../errors/app-error.ts';
import { hourOf, type Hour } from '../events/hour.ts';
import { systemClock, waitFor } from '../lib/clock.ts';
import type { Workshop } from '../system.ts';
import type { Command } from './command.ts';
import { WORKSHOP_OPTIONS, workshopConfigOf } from './server-config.ts';

type Print = (line: string) => void;

const POLL_MS = 200;
const MAX_LISTED = 1_000;

export const eraseCommand: Command = {
  words: ['erase'],
  summary: 'Erase visitors of a project from all rows, packages and rejected events that are kept.',
  positionals: 'ID… (more visitors)',
  options: [...WORKSHOP_OPTIONS, 'ai', 'visitor', 'wait', 'json'],
  required: ['ai', 'visitor'],
  run: async ({ options, positionals, print, signal }) => {
    const visitorIds = [...options.list('visitor'), ...positionals];
    const ai = options.text('ai');
    const catalog = await openExistingCatalog(options.text('data'), systemClock);
    let erasure: Erasure;
    try {
      if (!catalog.projects.findByAi(ai)) throw new AppError('unknown_project', `There is no project ${ai}.`);
      refuseVisitors(visitorIds);
      erasure = await catalog.erasures.create({ ai, visitorIds, nowMs: systemClock.nowMs() });
    } finally {
      await catalog.close();
    }
    const isWaiting = options.flag('wait');
    if (!isWaiting || !options.flag('json')) printErasure(erasure, options, print);
    if (isWaiting) printErasure(await finishErasure(erasure, options, signal), options, print);
  },
};

export const eraseStatusCommand: Command = {
  words: ['erase', 'status'],
  summary: 'Show how far the erasures of a project are, with the certificates of those that are done.',
  options: ['data', 'ai', 'receipt', 'json'],
  required: ['ai'],
  run: async ({ options, print }) => {
    const catalog = await openExistingCatalog(options.text('data'), systemClock);
    try {
      const erasures = await findErasures(catalog, options);
      const isOne = options.optionalText('receipt') !== undefined;
      if (options.flag('json') && !isOne) print(JSON.stringify(erasures.map(describe), null, 2));
      else if (erasures.length === 0) print('Nothing was ever erased of this project.');
      else for (const erasure of erasures) printErasure(erasure, options, print);
    } finally {
      await catalog.close();
    }
  },
};

async function findErasures(catalog: Catalog, options: OptionValues): Promise<readonly Erasure[]> {
  const ai = options.text('ai');
  if (!catalog.projects.findByAi(ai)) throw new AppError('unknown_project', `There is no project ${ai}.`);
  const id = options.optionalText('receipt');
  if (id === undefined) return catalog.erasures.list(ai, MAX_LISTED);
  const erasure = await catalog.erasures.read(ai, id);
  if (!erasure) throw new AppError('unknown_receipt', 'This project has no such receipt of an erasure.');
  return [erasure];
}

async function finishErasure(erasure: Erasure, options: OptionValues, signal: AbortSignal): Promise<Erasure> {
  const { openWorkshop } = await import('../system.ts');
  const workshop = await openWorkshop(workshopConfigOf(options));
  try {
    return await workUntilErased(workshop, erasure, signal);
  } finally {
    await workshop.close();
  }
}

/** Works until an erasure is done. What holds it up goes to standard error. @throws AppError erasure_unfinished when it is stopped */
export async function workUntilErased(
  workshop: Workshop,
  { ai, id }: Pick<Erasure, 'ai' | 'id'>,
  signal: AbortSignal,
): Promise<Erasure> {
  let told: string | null = null;
  while (!signal.aborted) {
    await workOnce(workshop, ai);
    const erasure = await workshop.catalog.erasures.read(ai, id);
    if (erasure?.status === 'done') return erasure;
    const error = erasure?.error ?? null;
    if (error !== null && error !== told) process.stderr.write(`${error}\n`);
    told = error;
    await waitFor(POLL_MS, signal);
  }
  throw new AppError('erasure_unfinished', `The erasure ${id} was stopped before it was done.`);
}

/** Hours of other erasures of the project are exported, too: one of the same visitor ends first. */
async function workOnce({ store, erasures, runner, catalog }: Workshop, ai: string): Promise<void> {
  await store.seal(hourOf(systemClock.nowMs()));
  await erasures.runDue();
  const hours = new Set<Hour>();
  for (const { id } of await catalog.erasures.listUnfinished(ai))
    for (const { hour } of await catalog.erasures.listHours(id)) hours.add(hour);
  if (hours.size > 0) await runner.runDue({ ai, hours: [...hours] });
}

function describe(erasure: Erasure) {
  const { id, ai, status, visitors, requestedAtMs, error, certificate } = erasure;
  return {
    receiptId: id,
    ai,
    status: status === 'done' ? 'done' : 'pending',
    visitors,
    requestedAt: new Date(requestedAtMs).toISOString(),
    expectedBy: new Date(expectedByMs(erasure)).toISOString(),
    error,
    certificate,
  };
}

function printErasure(erasure: Erasure, options: OptionValues, print: Print): void {
  const described = describe(erasure);
  if (options.flag('json')) return print(JSON.stringify(described, null, 2));
  const { receiptId, status, visitors, requestedAt, expectedBy, error, certificate } = described;
  const whom = visitors === 1 ? '1 visitor' : `${visitors} visitors`;
  if (certificate === null) {
    print(`${receiptId}  ${status}, ${whom}, asked for at ${requestedAt}, done by ${expectedBy}`);
    if (error !== null) print(`  ${error}`);
    return;
  }
  print(`${receiptId}  ${status}, ${whom}, asked for at ${requestedAt}, done at ${certificate.doneAt}`);
  if (certificate.hours.length === 0) print('  No hour held anything of them.');
  for (const { hour, rows, before, after } of certificate.hours) {
    const counts = Object.entries(rows).map(([kind, count]) => `${count} ${kind}`);
    print(`  ${hour} (Beijing time): ${counts.join(', ')}; ${nameOf(before)} -> ${nameOf(after)}`);
  }
}

function nameOf(published: { readonly revision: number; readonly hash: string } | null): string {
  return published === null ? 'not published' : `revision ${published.revision} (${published.hash.slice(0, 12)}…)`;
}
