/**
 * Verifies the server's own stores: that the publication log is whole, that every manifest kept says what was published, and that
 * every package is what its manifest says, down to the rows of its CSV.
 *
 * May run beside a server: what retention deletes meanwhile is no fault, because it deletes manifests before packages and the
 * oldest hours first. Changes nothing. Memory: a thousand log entries, one manifest, and the streams of one package.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import type { Catalog, Manifest, PackageEntry } from '../catalog/catalog.ts';
import type { PublicLogEntry, PublicManifest } from '../catalog/manifest-schema.ts';
import {
  buildPublicLogEntry,
  buildPublicManifest,
  findEntryFault,
  findManifestFault,
} from '../catalog/public-manifest.ts';
import { addHours, formatBeijingHour, hourFromInteger, type HourRange } from '../events/hour.ts';
import type { PackageReader } from '../packages/package-store.ts';
import { noCounts, type Findings, type VerifiedCounts } from './findings.ts';
import { findLedgerFaults } from './ledger.ts';
import { findPackageFaults } from './package-check.ts';
import { verifyLegacy } from './verify-legacy.ts';

export type VerifyStoresOptions = {
  readonly catalog: Pick<Catalog, 'manifests' | 'tasks' | 'serverKeys' | 'legacy'>;
  readonly packages: PackageReader;
  /** The projects to look at. */
  readonly ais: readonly string[];
  readonly findings: Findings;
};

const LOG_PAGE_ENTRIES = 1_000;
const ALL_HOURS: HourRange = { from: hourFromInteger(0), until: hourFromInteger(2 ** 31) };

/** Verifies the logs, manifests and packages of these projects. */
export async function verifyStores(options: VerifyStoresOptions): Promise<VerifiedCounts> {
  const counts = noCounts();
  for (const ai of options.ais) {
    await verifyLog(options, ai, counts);
    await verifyHours(options, ai, counts);
    await verifyLegacy(options, ai, counts);
  }
  return counts;
}

async function verifyLog(
  { catalog, findings }: VerifyStoresOptions,
  ai: string,
  counts: VerifiedCounts,
): Promise<void> {
  const publicKey: KeyObject = createPublicKey(catalog.serverKeys.publicKeyPem);
  let before: PublicLogEntry | undefined;
  for (;;) {
    const fromSeq = (before?.seq ?? 0) + 1;
    const page = await catalog.manifests.listLog(ai, { fromSeq, limit: LOG_PAGE_ENTRIES });
    for (const publication of page) {
      const entry = buildPublicLogEntry(publication);
      const fault = findEntryFault(entry, before, publicKey);
      if (fault !== undefined) findings.fault(fault);
      else if (!before && entry.seq !== 1) findings.fault(`The log of ${ai} begins with entry ${entry.seq}.`);
      before = entry;
      counts.entries += 1;
    }
    if (page.length === 0) return;
  }
}

async function verifyHours(options: VerifyStoresOptions, ai: string, counts: VerifiedCounts): Promise<void> {
  const { catalog, findings } = options;
  // The tasks first: a task that is finished then has its manifest in the list that is read afterwards.
  const tasks = await catalog.tasks.list(ai, ALL_HOURS);
  const revisions = await catalog.manifests.listRevisions(ai, ALL_HOURS);
  const hoursWithManifest = new Set(revisions.map(({ hour }) => hour));
  const checked = new Set<string>();
  for (const { hour, revision } of revisions) {
    const manifest = await catalog.manifests.read(ai, hour, revision);
    if (manifest) await verifyManifest(options, manifest, { counts, checked });
    else if (await isListed(catalog, { ai, hour, revision }))
      findings.fault(
        `Hour ${formatBeijingHour(hour)} of ${ai}, revision ${revision} has a manifest and no entry in the log.`,
      );
  }
  const finished = tasks.filter(({ status }) => status === 'finished').length;
  if (finished > 0 && revisions.length === 0)
    findings.note(`${finished} hours of ${ai} are FINISHED and none has a manifest: all past retention, or deleted.`);
  const oldestKept = revisions[0]?.hour;
  for (const { hour, status, error } of tasks) {
    const name = `Hour ${formatBeijingHour(hour)} of ${ai}`;
    if (status === 'failed') findings.note(`${name} is in ERROR: ${error ?? 'no reason was recorded.'}`);
    // Before the oldest manifest kept, retention may be at work.
    if (status === 'finished' && oldestKept !== undefined && hour > oldestKept && !hoursWithManifest.has(hour))
      findings.fault(`${name} is FINISHED and has no manifest.`);
  }
}

/** Says whether a revision has a manifest still: retention may have deleted it since they were listed. */
async function isListed(
  { manifests }: Pick<Catalog, 'manifests'>,
  { ai, hour, revision }: Pick<Manifest, 'ai' | 'hour' | 'revision'>,
): Promise<boolean> {
  const kept = await manifests.listRevisions(ai, { from: hour, until: addHours(hour, 1) });
  return kept.some((listed) => listed.revision === revision);
}

/** What is gathered over all hours of a project. `checked` holds the packages that an older revision has listed already. */
type Progress = { readonly counts: VerifiedCounts; readonly checked: Set<string> };

async function verifyManifest(
  options: VerifyStoresOptions,
  manifest: Manifest,
  { counts, checked }: Progress,
): Promise<void> {
  const { catalog, findings } = options;
  const document = buildPublicManifest(manifest);
  const name = nameOf(document);
  const fault = findManifestFault([document], catalog.serverKeys.publicKeyPem);
  if (fault !== undefined) findings.fault(`${name}: ${fault}`);
  for (const difference of findBalanceFaults(document)) findings.fault(`${name}: ${difference}.`);
  counts.manifests += 1;
  for (const entry of manifest.packages) {
    const identity = `${entry.key} ${entry.sha256}`;
    if (checked.has(identity)) continue;
    checked.add(identity);
    const faults = await findStoredFaults(options, manifest, entry);
    if (faults.length > 0) findings.fault(`${name}: package ${entry.key}: ${faults.join('; ')}.`);
    counts.packages += 1;
    counts.rows += entry.rows;
    counts.bytes += entry.bytes;
  }
}

async function findStoredFaults(
  { catalog, packages }: VerifyStoresOptions,
  { ai, hour, revision, facts }: Manifest,
  entry: PackageEntry,
): Promise<readonly string[]> {
  try {
    return await findPackageFaults(
      async () => {
        const opened = await packages.open(entry.key);
        if (!opened) throw new MissingPackageError();
        return opened.stream({ from: 0, until: opened.bytes });
      },
      entry,
      facts.settings,
    );
  } catch (error) {
    if (!(error instanceof MissingPackageError)) return [`it cannot be read (${String(error)})`];
    const isStillListed = (await catalog.manifests.read(ai, hour, revision)) !== undefined;
    return isStillListed ? ['it is not in the package store'] : [];
  }
}

class MissingPackageError extends Error {}

/** Names a manifest for a person. */
export function nameOf({ ai, hour, revision }: PublicManifest): string {
  return `Hour ${hour} of ${ai}, revision ${revision}`;
}

/** Finds what does not balance in a manifest: its ledger in itself, and its ledger against its packages. */
export function findBalanceFaults({ ledger, packages }: PublicManifest): readonly string[] {
  const packed = new Map<string, number>();
  for (const { dataType, rows } of packages) packed.set(dataType, (packed.get(dataType) ?? 0) + rows);
  const dataTypes = new Set([...Object.keys(ledger.rows), ...packed.keys()]);
  const differences = [...dataTypes].flatMap((dataType) => {
    const exported = ledger.rows[dataType]?.exported ?? 0;
    const rows = packed.get(dataType) ?? 0;
    return exported === rows ? [] : [`${dataType}: ${exported} rows exported, but its packages have ${rows}`];
  });
  return [...findLedgerFaults(ledger), ...differences];
}
