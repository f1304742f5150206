/**
 * Verifies the packages that were made for the 1.0 API: that each is what the catalog says, down to its rows, and that a table has as
 * many rows as the 2.0 packages of the revision that it was made from. May run beside a server, as verify-stores.ts.
 */
import type { Catalog } from '../catalog/catalog.ts';
import type { LegacyPackage } from '../catalog/legacy-export.ts';
import { formatBeijingHour, type Hour } from '../events/hour.ts';
import { legacyLayoutOf } from '../events/legacy-tables.ts';
import type { PackageReader } from '../packages/package-store.ts';
import type { Findings, VerifiedCounts } from './findings.ts';
import { findPackageFaults } from './package-check.ts';

export type VerifyLegacyOptions = {
  readonly catalog: Pick<Catalog, 'manifests' | 'legacy'>;
  readonly packages: PackageReader;
  readonly findings: Findings;
};

/** Verifies all 1.0 packages of a project, and adds them to the counts. */
export async function verifyLegacy(options: VerifyLegacyOptions, ai: string, counts: VerifiedCounts): Promise<void> {
  const { catalog, findings } = options;
  for (const hour of await catalog.legacy.listHours(ai)) {
    const kept = await catalog.legacy.listKept(ai, hour);
    for (const entry of kept) {
      const faults = await findFaults(options, entry);
      if (faults.length > 0) findings.fault(`${nameOf(entry)}: package ${entry.key}: ${faults.join('; ')}.`);
      counts.packages += 1;
      counts.rows += entry.rows;
      counts.bytes += entry.bytes;
    }
    for (const [, made] of Map.groupBy(kept, ({ revision, dataType }) => `${revision} ${dataType}`))
      await compareRows(options, ai, hour, made);
  }
}

async function compareRows(
  { catalog, findings }: VerifyLegacyOptions,
  ai: string,
  hour: Hour,
  made: readonly LegacyPackage[],
): Promise<void> {
  const [first] = made;
  const manifest = first && (await catalog.manifests.read(ai, hour, first.revision));
  if (!manifest) return; // past retention since the packages were listed
  const { dataType } = legacyLayoutOf(first.dataType);
  const rows = sumOf(made);
  const sources = sumOf(manifest.packages.filter((entry) => entry.dataType === dataType));
  if (rows !== sources)
    findings.fault(`${nameOf(first)}: ${first.dataType} has ${rows} rows, but ${dataType} has ${sources}.`);
}

async function findFaults(
  { catalog, packages }: VerifyLegacyOptions,
  entry: LegacyPackage,
): Promise<readonly string[]> {
  const opened = await packages.open(entry.key);
  if (opened) {
    await opened.close();
    const openFile = async () => {
      const again = await packages.open(entry.key);
      if (!again) throw new Error('it was deleted meanwhile');
      return again.stream({ from: 0, until: again.bytes });
    };
    return findPackageFaults(openFile, entry).catch((error: unknown) => [`it cannot be read (${String(error)})`]);
  }
  const stillKept = await catalog.legacy.listKept(entry.ai, entry.hour);
  return stillKept.some(({ key }) => key === entry.key) ? ['it is not in the package store'] : [];
}

function sumOf(packages: readonly { readonly rows: number }[]): number {
  return packages.reduce((sum, { rows }) => sum + rows, 0);
}

function nameOf({ ai, hour, revision }: LegacyPackage): string {
  return `Hour ${formatBeijingHour(hour)} of ${ai}, revision ${revision}, for the 1.0 API`;
}
