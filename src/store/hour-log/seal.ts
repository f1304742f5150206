/**
 * Seals hours: the barrier after which no collector can put a row into them (docs/architecture.md, "How an hour closes").
 *
 * Steps for an hour, in this order: raise the fence → find its segments → make each durable and measure its whole frames →
 * write the seal. Both files are written once, by whichever process comes first; a sealer that was paused between the steps and
 * goes on later changes nothing. Needs no word from any collector, so one that hangs holds up nothing.
 *
 * Invariants:
 * B1 A frame whose append saw no fence after its sync lies within the seal: the length is measured after the fence is raised.
 * B2 A segment that is not in the seal, or bytes behind its length there, count for nothing and were not acknowledged.
 */
import { mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { AppError } from '../../errors/app-error.ts';
import type { Hour } from '../../events/hour.ts';
import { isThere, readFileIfThere, syncFolder, writeFileOnce } from '../../lib/atomic-file.ts';
import { isSystemError } from '../../lib/system-error.ts';
import { buildCheckedJson, hasExactly, isCount, isListOf, isText, parseCheckedJson } from './checked-json.ts';
import {
  fencePath,
  hourFolder,
  hoursFolder,
  listFolder,
  RUN_SUFFIX,
  SEGMENT_SUFFIX,
  sealPath,
  shortPath,
} from './layout.ts';
import { readRunSource } from './run-reader.ts';
import { measureWholeFrames } from './whole-frames.ts';

/** What a segment that cannot be read is refused with. */
const UNREADABLE_CODES: readonly string[] = ['store_corrupt', 'format_too_new'];

/** A segment that counts, and up to where. With `damage` it cannot be said up to where: its hour fails until it is mended. */
export type SealedSegment = { readonly name: string; readonly bytes: number; readonly damage?: string };
export type Seal = { readonly version: 1; readonly segments: readonly SealedSegment[] };

/** Reads an hour's seal; undefined when the hour is not sealed. @throws AppError store_corrupt */
export async function readSeal(root: string, hour: Hour): Promise<Seal | undefined> {
  const bytes = await readFileIfThere(sealPath(root, hour));
  return bytes && parseCheckedJson(bytes.toString(), sealPath(root, hour), isSeal);
}

function isSeal(value: object): value is Seal {
  return hasExactly(value, 'version', 'segments') && isListOf(value.segments, isSealedSegment);
}

function isSealedSegment(value: unknown): boolean {
  if (!hasExactly(value, 'name', 'bytes') && !hasExactly(value, 'name', 'bytes', 'damage')) return false;
  return isText(value.name) && isCount(value.bytes) && ['undefined', 'string'].includes(typeof value.damage);
}

/** Seals an hour; does nothing when it is sealed already. Durable when it returns. */
export async function sealHour(root: string, hour: Hour): Promise<void> {
  if (await isThere(sealPath(root, hour))) return; // not read: one that is damaged fails its hour, and no other
  const folder = hourFolder(root, hour);
  if ((await mkdir(folder, { recursive: true, mode: 0o700 })) !== undefined) await syncFolder(hoursFolder(root));
  await writeFileOnce(fencePath(root, hour), '');
  const names = await listSegments(folder);
  // One after the other: an unsorted segment is read from end to end.
  const segments: SealedSegment[] = [];
  for (const name of names) segments.push(await measureSegment(folder, name, hour));
  const seal: Seal = { version: 1, segments };
  await writeFileOnce(sealPath(root, hour), buildCheckedJson(seal));
}

/**
 * Lists an hour's segments by name, whether they are still segments or sorted already. Listed twice: while a segment turns into
 * a run, one reading of the folder may miss both names, but then the run is there before the second reading begins.
 */
export async function listSegments(folder: string): Promise<readonly string[]> {
  const entries = [...(await listFolder(folder)), ...(await listFolder(folder))];
  const names = entries
    .filter((entry) => /^[0-9a-f]{10}-\d{6,}\.(seg|run)$/.test(entry))
    .map((entry) => entry.slice(0, -SEGMENT_SUFFIX.length));
  return [...new Set(names)].sort();
}

/**
 * Makes a segment durable and measures its whole frames. Damage does not keep the hour from being sealed, which would hold up
 * every later hour of every project; it is noted, and the hour's preparation fails by it.
 */
export async function measureSegment(folder: string, name: string, hour: Hour): Promise<SealedSegment> {
  try {
    return await measure(folder, name, hour);
  } catch (error) {
    if (!(error instanceof AppError) || !UNREADABLE_CODES.includes(error.code)) throw error;
    return { name, bytes: 0, damage: error.message };
  }
}

async function measure(folder: string, name: string, hour: Hour): Promise<SealedSegment> {
  const path = join(folder, name + SEGMENT_SUFFIX);
  try {
    const handle = await open(path, 'r');
    try {
      // Its collector may still be at its own sync, or dead before it: what is confirmed here must not be lost later.
      await handle.datasync();
      const { bytes, isDamaged } = await measureWholeFrames(handle, path, hour);
      if (!isDamaged) return { name, bytes };
      return {
        name,
        bytes,
        damage: `The segment ${shortPath(path)} is damaged at byte ${bytes}: whole frames follow one that is not.`,
      };
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
  const source = readRunSource(join(folder, name + RUN_SUFFIX));
  if (!source)
    throw new AppError('store_corrupt', `The segment ${shortPath(path)} vanished before its hour was sealed.`);
  return { name, bytes: source.bytes };
}
