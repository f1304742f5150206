/**
 * Names and keys of packages, derived and not drawn, so that a retried export writes the same files again.
 *
 * The codec is part of what the uuid is made of: where another codec would write other bytes, it writes them under another name,
 * and a published package is never overwritten by a late writer on another machine. So is what the rows were read from: an export that
 * began before an erasure, and was held up, may not put its rows into the place of those that were published since. And so is how
 * they were cut and written, since a command may have other options than the server beside it.
 */
import { createHash } from 'node:crypto';
import type { DataType } from '../events/data-types.ts';
import type { LegacyTable } from '../events/legacy-tables.ts';
import { formatUtcHour } from '../events/hour.ts';
import type { Hour } from '../events/hour.ts';

/** What the packages of one `PackageWriter` have in common. */
export type PackageSet = {
  readonly ai: string;
  /** The version of the API that the packages are for; absent: 2.0. */
  readonly api?: '1.0' | undefined;
  readonly dataType: DataType | LegacyTable;
  readonly hour: Hour;
  readonly revision: number;
  /** Name of the gzip codec. */
  readonly codecName: string;
  /** From what the rows were read (`HourReader.sourceOf`), and how they are cut and written; absent: as the same revision says. */
  readonly source?: string | undefined;
};

/** Gives the file name of a package, `part-00000-{uuid}-c000.csv.gz`, the form of Spark's own writer. */
export function packageName(set: PackageSet, part: number): string {
  return `part-${String(part).padStart(5, '0')}-${uuidOf(set)}-c000.csv.gz`;
}

/** Gives the key under which the package store keeps a package. */
export function packageKey(set: PackageSet, name: string): string {
  const folder = set.api === undefined ? `${set.ai}/${formatUtcHour(set.hour)}` : legacyFolder(set.ai, set.hour);
  return `${folder}/${revisionFolder(set.revision)}/${set.dataType}/${name}`;
}

/** Gives the folder that holds all packages of an hour for the 1.0 API, in folders by revision. */
export function legacyFolder(ai: string, hour: Hour): string {
  return `${ai}/${formatUtcHour(hour)}/v1`;
}

/** Gives the name of a revision's folder. */
export function revisionFolder(revision: number): string {
  return `r${revision}`;
}

/** A UUID of version 8, which RFC 9562 §5.8 has for hashes of one's own. */
function uuidOf({ ai, api, dataType, hour, revision, codecName, source }: PackageSet): string {
  const bytes = createHash('sha256')
    .update(JSON.stringify([ai, dataType, hour, revision, codecName, api ?? source]))
    .digest();
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
