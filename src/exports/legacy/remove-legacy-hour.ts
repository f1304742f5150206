/**
 * Removes everything that was made of the older revisions of an hour for the 1.0 API, at once: for an erasure, after which no byte of
 * one may be left, and links to them are answered with 410.
 *
 * The catalog first, so that no link is given to a package that is going and a making that runs cannot be published; then the bytes.
 * Such a making learns within a heartbeat (2.5 s) that its lease is lost, and deletes what it has written by then. Packages that had
 * been made are made again, from the newest revision; whoever makes them first deletes what is left over. May be called twice.
 *
 * The bytes of the newest revision stay: a server makes them again as soon as the catalog says so, and who is held up here may come
 * when they are made.
 */
import type { Catalog } from '../../catalog/catalog.ts';
import type { Hour } from '../../events/hour.ts';
import type { PackageStore } from '../../packages/package-store.ts';
import { legacyFolder, revisionFolder } from '../package-name.ts';

/** Removes the 1.0 packages of a project's hour, but for the bytes of its newest revision. Durable when it returns. Call it when the new revision is published. */
export async function removeLegacyHour(options: {
  readonly catalog: Pick<Catalog, 'legacy' | 'manifests'>;
  readonly packages: PackageStore;
  readonly ai: string;
  readonly hour: Hour;
  readonly nowMs: number;
}): Promise<void> {
  const { catalog, packages, ai, hour, nowMs } = options;
  await catalog.legacy.removeHour(ai, hour, nowMs);
  const next = await catalog.manifests.nextRevision(ai, hour);
  const newest = await catalog.manifests.newest(ai, hour);
  for (let revision = 1; revision < Math.min(next, newest?.revision ?? next); revision += 1)
    await packages.deleteUnder(`${legacyFolder(ai, hour)}/${revisionFolder(revision)}`);
}
