/** Copies files and takes their SHA-256 on the way. Memory: one chunk of 1 MiB. */
import { createHash } from 'node:crypto';
import { link, open, type FileHandle } from 'node:fs/promises';
import { isSystemError } from './system-error.ts';

/** What a file holds. */
export type FileSum = { readonly bytes: number; readonly sha256: string };

const CHUNK_BYTES = 1024 * 1024;
/** Another file system, one without hard links, or a file that has too many. */
const NO_LINK_CODES = ['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK', 'EACCES'];

/**
 * Copies a file as far as it is long when this is called, and with its rights. Durable when this returns, but for its name.
 * @throws the system error, such as ENOENT when there is no source and EEXIST when there is a target
 */
export async function copyFileHashed(source: string, target: string): Promise<FileSum> {
  const from = await open(source, 'r');
  try {
    const { size, mode } = await from.stat();
    const to = await open(target, 'wx', mode & 0o777);
    try {
      const sum = await hashChunks(from, size, (chunk) => writeAll(to, chunk));
      await to.sync();
      return sum;
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/** Gives a file that never changes a second name, or copies it where that cannot be. As `copyFileHashed`. */
export async function linkFileHashed(source: string, target: string): Promise<FileSum> {
  try {
    await link(source, target);
  } catch (error) {
    if (!NO_LINK_CODES.some((code) => isSystemError(error, code))) throw error;
    return copyFileHashed(source, target);
  }
  return hashFile(target);
}

/** Reads what a file holds. */
export async function hashFile(path: string): Promise<FileSum> {
  const file = await open(path, 'r');
  try {
    return await hashChunks(file, (await file.stat()).size);
  } finally {
    await file.close();
  }
}

async function hashChunks(
  file: FileHandle,
  size: number,
  take: (chunk: Buffer) => Promise<void> = () => Promise.resolve(),
): Promise<FileSum> {
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, Math.max(1, size)));
  let bytes = 0;
  while (bytes < size) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - bytes), bytes);
    if (bytesRead === 0) break; // it has become shorter
    const chunk = buffer.subarray(0, bytesRead);
    hash.update(chunk);
    await take(chunk);
    bytes += bytesRead;
  }
  return { bytes, sha256: hash.digest('hex') };
}

async function writeAll(file: FileHandle, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length;) at += (await file.write(chunk, at, chunk.length - at)).bytesWritten;
}
