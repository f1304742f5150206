/**
 * Finds out whether a disk takes writes again after one has failed.
 *
 * Writes as many bytes as failed and syncs them, into a file that loses its name as soon as it has one: nothing is left of it,
 * whatever happens. So "it works again" means that what could not be stored would fit now.
 */
import { randomBytes } from 'node:crypto';
import { open, unlink } from 'node:fs/promises';
import { join } from 'node:path';

const CHUNK_BYTES = 64 * 1024;

/** Writes and syncs so many bytes in this folder. @throws the system error of the disk */
export async function probeWrite(folder: string, bytes: number): Promise<void> {
  const path = join(folder, `probe-${randomBytes(6).toString('hex')}.tmp`);
  const handle = await open(path, 'wx', 0o600);
  try {
    await unlink(path);
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; at < bytes; at += chunk.length) await handle.write(chunk);
    await handle.datasync();
  } finally {
    await handle.close();
  }
}
