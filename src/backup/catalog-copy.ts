/**
 * Copies the catalog as of one instant, and the packages that its manifests name.
 *
 * Retention deletes a manifest, then its packages. So a package that is missing may only have been swept since the snapshot: then
 * a newer snapshot does not name it any more. One that a newer snapshot still names is lost, and is reported.
 */
import { join } from 'node:path';
import { snapshotCatalog, type SnapshotPackage } from '../catalog/catalog-snapshot.ts';
import { catalogPath } from '../catalog/data-catalog.ts';
import { AppError } from '../errors/app-error.ts';
import type { BackupWriter } from './backup-writer.ts';

const CATALOG = 'catalog.sqlite';
const PACKAGES = 'packages';
/** Each round but the first follows a sweep of retention, which comes once an hour. */
const MAX_ROUNDS = 10;

/**
 * Copies the catalog and every package that it names. Returns what is wrong with the packages, a sentence each.
 * @throws AppError as snapshotCatalog; backup_failed
 */
export async function copyCatalog(data: string, backup: BackupWriter): Promise<readonly string[]> {
  let missingBefore: ReadonlySet<string> = new Set();
  const kept = new Set<string>();
  for (let round = 0; round < MAX_ROUNDS; round += 1) {
    await backup.drop(CATALOG);
    const packages = snapshotCatalog(catalogPath(data), backup.pathOf(CATALOG));
    const faults = new Map<string, string>();
    for (const entry of packages) {
      const fault = await keepPackage(entry, backup);
      if (fault === undefined) kept.add(entry.key);
      else faults.set(entry.key, fault);
    }
    const isSettled = [...faults.keys()].every((key) => missingBefore.has(key));
    missingBefore = new Set(faults.keys());
    if (!isSettled) continue;
    const named = new Set(packages.map(({ key }) => key));
    for (const key of kept) if (!named.has(key)) await backup.drop(join(PACKAGES, key));
    await backup.add(CATALOG);
    return [...faults.values()];
  }
  throw new AppError('backup_failed', 'The packages change too fast for a backup.');
}

async function keepPackage({ key, sha256 }: SnapshotPackage, backup: BackupWriter): Promise<string | undefined> {
  const sum = await backup.tryKeep(join(PACKAGES, key));
  if (!sum) return `The package ${key} is missing.`;
  return sum.sha256 === sha256 ? undefined : `The package ${key} is not what its manifest says.`;
}
