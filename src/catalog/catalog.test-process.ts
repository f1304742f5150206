/**
 * A second process for the catalog's tests: `path action input`. It says that it is ready, waits for the word, does its action,
 * answers with what it found, and ends; `hold-task` and `hold-lock` answer and never end, so that a test can kill them.
 */
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import type { Hour } from '../events/hour.ts';
import type { Catalog, PackageEntry, Project } from './catalog.ts';
import { samplePackage } from './catalog.test-helper.ts';
import { openCatalog } from './open-catalog.ts';

type Action = (catalog: Catalog, input: unknown) => Promise<unknown>;

const ACTIONS: Readonly<Record<string, Action>> = {
  open: (catalog) => Promise.resolve(catalog.serverKeys.publicKeyPem),
  'create-project': (catalog, input) => catalog.projects.create(input as Project).then(() => 'created'),
  'claim-all': async (catalog, input) => {
    const { nowMs } = input as { nowMs: number };
    const hours: Hour[] = [];
    for (;;) {
      const task = await catalog.tasks.claim({ nowMs, leaseMs: 60_000 });
      if (!task) return hours;
      hours.push(task.hour);
    }
  },
  'publish-all': async (catalog, input) => {
    const { nowMs } = input as { nowMs: number };
    const facts = { schemaVersion: 1, codec: 'none', ledger: { events: {}, rows: {}, imported: 0 } } as const;
    let published = 0;
    for (;;) {
      const task = await catalog.tasks.claim({ nowMs, leaseMs: 60_000 });
      if (!task) return published;
      if (await catalog.manifests.publish(task, { revision: 1, facts, packages: [], nowMs })) published += 1;
    }
  },
  'die-publishing': async (catalog, input) => {
    const { nowMs } = input as { nowMs: number };
    const task = await catalog.tasks.claim({ nowMs, leaseMs: 60_000 });
    const facts = { schemaVersion: 1, codec: 'none', ledger: { events: {}, rows: {}, imported: 0 } } as const;
    await catalog.manifests.publish(task!, { revision: 1, facts, packages: [fatalPackage()], nowMs });
  },
  'hold-task': (catalog, input) => catalog.tasks.claim(input as Parameters<Catalog['tasks']['claim']>[0]),
};

/** A package that kills this process when its row is about to be inserted: the log's entry and the manifest are in by then. */
function fatalPackage(): PackageEntry {
  return {
    ...samplePackage('visit', 0),
    get key(): string {
      process.kill(process.pid, 'SIGKILL');
      return '';
    },
  };
}

const [path, action, input] = process.argv.slice(2) as [string, string, string];
const go = once(process, 'message');
process.send?.('ready');
await go;
const held: object[] = [];
if (action === 'hold-lock') {
  const database = new DatabaseSync(path);
  database.exec('BEGIN IMMEDIATE');
  held.push(database);
  process.send?.('locked');
} else {
  const catalog = await openCatalog({ path });
  const answer = await ACTIONS[action]!(catalog, JSON.parse(input));
  if (action === 'hold-task') held.push(catalog);
  else await catalog.close();
  process.send?.(answer ?? null);
}
if (held.length === 0) process.disconnect();
else process.on('message', () => held); // a listener keeps the process, and what it holds, alive
