/**
 * Copies the click index as of one instant, before the hour log: a click is added to it behind its row, so every click of the copy
 * has its row in the backup. Clicks of the minutes in which the backup was made may be missing from the index; their rows are not.
 */
import { join } from 'node:path';
import { CLICK_INDEX_FILE } from '../ads/click-index.ts';
import { snapshotClickIndex } from '../ads/click-index-file.ts';
import { isThere } from '../lib/atomic-file.ts';
import type { BackupWriter } from './backup-writer.ts';

/** Copies the click index, if there is one. @throws AppError store_corrupt, store_unavailable, format_too_new */
export async function copyClickIndex(data: string, backup: BackupWriter): Promise<void> {
  const path = join(data, CLICK_INDEX_FILE);
  if (!(await isThere(path))) return;
  snapshotClickIndex(path, backup.pathOf(CLICK_INDEX_FILE));
  await backup.add(CLICK_INDEX_FILE);
}
