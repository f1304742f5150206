/** How much of a disk files take. */
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const BLOCK_BYTES = 512;

/** Adds up the blocks of a file, or of a folder and all in it, in millions of bytes, as `du` does; a file with two names counts twice. */
export async function diskMegabytesOf(path: string): Promise<number> {
  return ((await blocksOf(path)) * BLOCK_BYTES) / 1e6;
}

async function blocksOf(path: string): Promise<number> {
  const entry = await lstat(path);
  if (!entry.isDirectory()) return entry.blocks;
  let blocks = entry.blocks;
  for (const name of await readdir(path)) blocks += await blocksOf(join(path, name));
  return blocks;
}
