/**
 * Makes a backup of a data directory while servers work on it.
 *
 * Order: the catalog as of one instant → the packages that its manifests name → the click index as of one instant → the hour
 * log. What a server does, it does the other way round: rows before tasks and the index, packages before the manifest. So whatever the catalog of the backup speaks of is in the
 * backup, and what the rest of it knows beyond that is what a crash at that instant would have left: the restored server catches
 * up with it as after a crash.
 *
 * Not taken: temporary files, imports that do not count, and packages that no manifest names.
 *
 * Cost: every byte is read once, for its checksum. Where the target is on the same file system, packages and runs take no room.
 */
import { refuseUnusable } from '../catalog/data-catalog.ts';
import { ConfigurationError } from '../errors/app-error.ts';
import type { Clock } from '../lib/clock.ts';
import { isInside } from '../lib/folder-inside.ts';
import type { BackupFile } from './backup-file-list.ts';
import { backupFailure } from './backup-failure.ts';
import { BackupWriter } from './backup-writer.ts';
import { copyCatalog } from './catalog-copy.ts';
import { copyClickIndex } from './click-index-copy.ts';
import { copyHourLog } from './hour-log-copy.ts';

export type CreateBackupOptions = {
  readonly data: string;
  /** A folder that is empty or not there yet. */
  readonly target: string;
  readonly clock: Clock;
  /** Stops the backup; nothing is left of it then. */
  readonly signal?: AbortSignal;
};

export type CreatedBackup = {
  /** Everything that was acknowledged before is in the backup. */
  readonly startedAt: Date;
  readonly files: readonly BackupFile[];
  /** What is damaged in the data directory itself, a sentence each; the backup holds it as it is. */
  readonly faults: readonly string[];
};

/**
 * Makes a backup: durable and whole when this returns.
 * @throws AppError data_directory, folder_not_empty, backup_failed, format_too_new, store_corrupt; ConfigurationError
 */
export async function createBackup({ data, target, clock, signal }: CreateBackupOptions): Promise<CreatedBackup> {
  refuseUnusable(data);
  const startedAt = new Date(clock.nowMs());
  const fail = (error: unknown): never => {
    throw backupFailure(`The backup in ${target}`, error, signal);
  };
  if (await isInside(target, data).catch(fail))
    throw new ConfigurationError([`${target} lies in the data directory; name a folder elsewhere.`]);
  const backup = await BackupWriter.begin({ data, target, signal }).catch(fail);
  try {
    const catalogFaults = await copyCatalog(data, backup);
    await copyClickIndex(data, backup);
    const faults = [...catalogFaults, ...(await copyHourLog(data, backup))];
    return { startedAt, files: await backup.finish(startedAt, new Date(clock.nowMs())), faults };
  } catch (error) {
    await backup.abort().catch(() => undefined); // what it would say was said by the fault that comes first
    return fail(error);
  }
}
