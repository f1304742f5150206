/**
 * Deletes packages of a revision that its manifest does not name, finished or not: what was written by a try that was killed, or held up
 * while another one published the revision or an erasure took it back. They may hold what was erased in between.
 *
 * A revision that is not published yet is left alone, since others may be writing it; one that is, nobody can publish any more.
 */
import type { Catalog } from '../catalog/catalog.ts';
import { DATA_TYPES } from '../events/data-types.ts';
import { formatUtcHour, type Hour } from '../events/hour.ts';
import type { PackageStore } from '../packages/package-store.ts';
import { revisionFolder } from './package-name.ts';

export type HourRevision = { readonly ai: string; readonly hour: Hour; readonly revision: number };

export async function deleteUnpublished(
  catalog: Pick<Catalog, 'manifests'>,
  packages: Pick<PackageStore, 'deleteUnder'>,
  { ai, hour, revision }: HourRevision,
): Promise<void> {
  if ((await catalog.manifests.nextRevision(ai, hour)) <= revision) return;
  const published = await catalog.manifests.read(ai, hour, revision);
  for (const dataType of DATA_TYPES) {
    const named = (published?.packages ?? []).filter((entry) => entry.dataType === dataType).map(({ name }) => name);
    await packages.deleteUnder(`${ai}/${formatUtcHour(hour)}/${revisionFolder(revision)}/${dataType}`, new Set(named));
  }
}
