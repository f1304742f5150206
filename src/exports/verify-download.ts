/**
 * Verifies a directory of downloaded packages against the manifests that list them: that the manifests are the server's and belong
 * together, and that each package is there, whole.
 *
 * Packages are found by their file names, which only revisions of one hour share, in any folder below. Of an hour only the newest revision
 * among the manifests must be there. Changes nothing. Memory: the manifests, the names found, and the streams of one package.
 */
import type { KeyObject } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { PublicManifest, PublicPackage } from '../catalog/manifest-schema.ts';
import { findContentFault, findEntryFault } from '../catalog/public-manifest.ts';
import { noCounts, type Findings, type VerifiedCounts } from './findings.ts';
import { findPackageFaults } from './package-check.ts';
import { findBalanceFaults, nameOf } from './verify-stores.ts';

export type VerifyDownloadOptions = {
  readonly manifests: readonly PublicManifest[];
  readonly publicKey: KeyObject;
  readonly folder: string;
  /** Says of a file that it belongs to the check itself, such as a manifest that was saved beside the packages. */
  readonly isOwnFile: (path: string) => boolean;
  readonly findings: Findings;
};

/** A package that a manifest lists. */
type Listed = { readonly entry: PublicPackage; readonly manifest: PublicManifest; readonly isNeeded: boolean };

/** Verifies a directory. */
export async function verifyDownload(options: VerifyDownloadOptions): Promise<VerifiedCounts> {
  const { folder, findings, isOwnFile } = options;
  const counts = noCounts();
  const manifests = verifyManifests(options, counts);
  const listed = listPackages(manifests);
  const found = new Map<string, number>();
  for await (const { path, name } of filesIn(folder)) {
    const known = listed.get(name);
    if (known) {
      found.set(name, (found.get(name) ?? 0) + 1);
      await verifyFile(path, known, findings);
      counts.packages += 1;
      counts.rows += known.entry.rows;
      counts.bytes += known.entry.bytes;
    } else if (!isOwnFile(path)) findings.note(`${path} is in none of the manifests.`);
  }
  for (const [name, { manifest, entry, isNeeded }] of listed) {
    const copies = found.get(name) ?? 0;
    if (copies === 0 && isNeeded) findings.fault(`${nameOf(manifest)}: ${entry.dataType} ${name} is missing.`);
    if (copies > 1) findings.note(`${name} is there ${copies} times; who reads all files reads its rows so often.`);
  }
  return counts;
}

/** Checks the manifests, each in itself and those that follow one another; returns each once. */
function verifyManifests(
  { manifests, publicKey, findings }: VerifyDownloadOptions,
  counts: VerifiedCounts,
): readonly PublicManifest[] {
  const sorted = [...manifests].sort((a, b) => (a.ai < b.ai ? -1 : a.ai > b.ai ? 1 : a.seq - b.seq));
  const kept: PublicManifest[] = [];
  for (const manifest of sorted) {
    const before = kept.at(-1);
    const isSameEntry = before?.ai === manifest.ai && before.seq === manifest.seq;
    if (isSameEntry && before.hash === manifest.hash) continue;
    const name = nameOf(manifest);
    if (isSameEntry) findings.fault(`${name}: entry ${manifest.seq} of the log has two forms.`);
    const follows = before?.ai === manifest.ai && before.seq + 1 === manifest.seq;
    const faults = [findContentFault(manifest), findEntryFault(manifest, follows ? before : undefined, publicKey)];
    for (const fault of faults) if (fault !== undefined) findings.fault(`${name}: ${fault}`);
    for (const difference of findBalanceFaults(manifest)) findings.fault(`${name}: ${difference}.`);
    kept.push(manifest);
    counts.manifests += 1;
    counts.entries += 1;
  }
  return kept;
}

function listPackages(manifests: readonly PublicManifest[]): ReadonlyMap<string, Listed> {
  const newest = new Map<string, number>();
  for (const { ai, hour, revision } of manifests) {
    const key = `${ai} ${hour}`;
    newest.set(key, Math.max(newest.get(key) ?? 0, revision));
  }
  const listed = new Map<string, Listed>();
  for (const manifest of manifests) {
    const isNeeded = manifest.revision === newest.get(`${manifest.ai} ${manifest.hour}`);
    for (const entry of manifest.packages) {
      if (isNeeded || !listed.has(entry.name)) listed.set(entry.name, { entry, manifest, isNeeded });
    }
  }
  return listed;
}

async function verifyFile(path: string, { entry, manifest }: Listed, findings: Findings): Promise<void> {
  const faults = await findPackageFaults(() => Promise.resolve(createReadStream(path)), entry, manifest.settings).catch(
    (error: unknown) => [`it cannot be read (${String(error)})`],
  );
  if (faults.length > 0) findings.fault(`${nameOf(manifest)}: ${path}: ${faults.join('; ')}.`);
}

/** Walks the files of a folder and of those below it, by name. Links to folders are not followed. */
async function* filesIn(folder: string): AsyncGenerator<{ readonly path: string; readonly name: string }> {
  const entries = await readdir(folder, { withFileTypes: true });
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesIn(path);
    else if (entry.isFile() || (await isLinkToFile(path))) yield { path, name: entry.name };
  }
}

async function isLinkToFile(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isFile(),
    () => false, // a link that leads nowhere
  );
}
